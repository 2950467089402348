"""`results/`, one JSON per finished fold -> `docs/results.md`, its figures and JSON.

load                  files -> `Run`s
cells, significance   runs -> cells of tables, with intervals
published             the numbers of others
tables                the paper's tables beside ours
paired                one system less another, on what both were run on
adaptation_tables     gains over Algorithm 4, distances
ablation_tables       CPAC less its ablations; choices of the paper less ours
missing               what was not run yet, and the hours it needs
figures               all of them: score_figures, tsne_figures
wording               how names and numbers are written
page, command         everything into results.md.j2; `python -m training report`
"""
