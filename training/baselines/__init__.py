"""Classical systems that the network is measured against.

functionals   openSMILE's, cached on disk
svm           a linear SVM on them; also with labels of the target (Table S5)
clip_length   the clip of the nearest length: what a corpus tells unheard
echo_state    an echo state network over the frames of a clip
nmftsl        transfer by nonnegative matrix factorisation
folds         one fold of a protocol with one of these
libraries     imports of the extra `baselines`
"""
