"""How good a model is.

clip_steps      labelled clips through the runtime's pipeline, step by step
heard_clip      what a network makes of a clip, before it knows the speaker
frozen_steps    what a frozen encoder says at each step of a clip, kept
crossval        leave-speakers-out cross-validation
loco            leave-one-corpus-out: the yardstick of a recipe
loco_svm        openSMILE with an SVM beside it
told/           what is gained by what a network was told of its speakers
unlabelled/     what learning without labels brings on voices never heard
who_speaks      how well voices are told apart
recentre        what an unknown voice is taken for, measured on left-out corpora
unknown_voice   how the logits of a voice never heard are off
calibrate       temperatures and the threshold of `uncertain`, on left-out corpora
metrics         UAR, WAR and the rest of what manifest and card give
calibration     temperatures, and the calibration error
bootstrap       95 % intervals, by a bootstrap over speakers
risk_coverage   what abstaining buys
streaming/      `stream-eval`: level, noise, delay, flicker, false alarms
zero_shot/      `zero-shot`: corpora that are not in training, beside openSMILE
adaptation/     `adapt-eval`: gains, attacks and cost of online adaptation
commands        the command line of these; voice_commands: of unlabelled and who_speaks
"""
