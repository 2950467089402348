"""The child process that adapts: the only part of the runtime that needs torch.

process      priority, threads and memory limit of this process
run          a job -> a candidate bundle and its evidence
mdd_round    steps of margin disparity discrepancy (CAAM)
batches      labelled and unlabelled windows -> what a step takes
statistics   batch normalisation estimated on the target domain
back_off     halves steps that cost too much on the canary
canary       labelled speech that no round learns from
candidate    new weights into the same graphs
evidence     what is measured of a candidate
windows      labelled windows, as the pack holds them

The daemon imports nothing of it; it is run, as `python -m`.
"""
