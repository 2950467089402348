"""`python -m training unlabelled`: does learning without labels help new voices?

After the mean of the speaker is off, which is what networks get now; with the bundle
that ships, on corpora that it was not trained on.

clip_frames     frames of every clip, once; features by any network from them
rooms           who is in a room, what of them is heard, what is scored
networks        rounds of MDD as they ship, and parts of them: networks of a room
centres         MDD less the means of speakers, which is no part of what ships
feature_change  what is done to features or the last layer alone
run             every corpus, mix and seed; figures and the table
"""
