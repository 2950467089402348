"""How the models that ship are trained.

config                a training configuration, from TOML
waveform_augment      a clip -> four variants: other voices, rooms, channels
spectrogram_cache     mel spectra and pitchograms of all variants, computed once
spectrogram_augment   these -> windows of frames with noise, level, colour, pitch
noise_recordings      the folder of noise recordings
dataset               batches of windows, balanced over classes and speakers
frozen_columns        what a frozen encoder says of augmented windows, kept
speaker_memory        means of a speaker's other clips, to train with
teacher/              what frozen encoders know, as targets
train                 the training, by `training.engine.fit`
model                 a checkpoint -> its network
feature_space         where the features of the training speech lie
commands              the command line: corpora, train, features, slim
checkpoints/          what the packaged bundles were exported from
stream_window         a clip's speech as one window, after the daemon has been running
adaptation_pack       writes the pack that online adaptation needs
"""
