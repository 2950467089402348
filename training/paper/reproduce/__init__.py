"""The paper's tables as experiments: each a system on a fold, a file in results/.

tables       all numbers to compute: protocol x system x corpus or pair x fold x seed
experiment   one of them: its file, and which of the next four computes it
run_single, run_cross, run_classical, run_supervised  kinds of systems
systems      network, loss and schedule of each system
frames       which frames each system hears
constants    names and counts that the report uses too
run          many experiments, on all cores, resumable after a kill
workspace    what experiments share: clips, features, source checkpoints
scored_fit   a network trained, and scored after every epoch
selection    which epoch is reported: `oracle`, `validated`, `last`
scores       figures of a fold
"""
