"""The child process that adapts: the only part of the runtime that needs torch.

process      keeps out of everybody's way
run          a job -> a candidate bundle and its evidence
mdd_round    steps of margin disparity discrepancy, on batches
statistics   batch normalisation of another room
back_off     as far as the canary allows
canary       labelled speech that no round learns from
candidate    new weights into the same graphs
evidence     what is known of a candidate
windows      labelled windows, as the pack holds them

Nothing here is imported by the daemon; it is run, as `python -m`.
"""
