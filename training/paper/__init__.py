"""The reproduction of CTL-MTNet's tables (Wen et al., IJCAI 2022), and of EmoBox's.

mfcc_cache      utterances -> MFCC frames of whole clips, on disk
clip_batches    frames of whole clips -> batches
padded_mfcc     samples -> MFCCs as the authors' group computes them
cut_ends        clips whose length to the sample tells little
networks        CPAC in its readings, Algorithms 1, 2 and 3
rival_networks  other families of networks, for Table 1
losses/         margin loss; CAAM, DANN, CDAN
classify_task   one network on one fold of one corpus
transfer_task   from a labelled source corpus to an unlabelled target corpus
commands        the command line of the next two
reproduce/      all experiments of all tables, resumable
emobox_joint/   EmoBox's folds by one network for all corpora
"""
