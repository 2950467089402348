"""How the models that ship are trained: configuration, data, augmentation, packs."""
