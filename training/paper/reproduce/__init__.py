"""The paper's tables as cells: each a system on a fold, each a file in results/.

cells         all numbers to compute: protocol x system x corpus or pair x fold x seed
systems       network, loss and schedule of each system
constants     names and counts that the report uses too
runner        many cells, on all cores, resumable after a kill
workspace     what cells share: clips, features, source checkpoints
run_cell      a cell -> its result, by one of the next four
run_single, run_cross, run_classical, run_supervised  kinds of systems
selection     which epoch is reported: `oracle`, `validated`, `last`
result_file   one JSON for each finished fold
progress      how far a cell is
"""
