"""The head of the page: what it is, which protocols, how intervals were made."""

HEAD = """\
# Results

CTL-MTNet (CPAC on single corpora, CAAM across corpora) run again, beside the paper's
numbers. This page is made from `results/`, one JSON per finished fold, by

```
python -m training report
```

and is not edited by hand; every number is also in [{json}]({json}). Percent. WAR is
accuracy, UAR the mean of the class recalls, macro F1 the mean of the class F1 scores. A
cell is a number that was measured, a word that says why there is none to give (none
published, one fit), or *not run*.

Protocols:

- `paper-10fold`, the paper's: random 10-fold over clips, seed 98. Speakers and
  sentences are shared between training and test, so it says little about people never
  heard. `oracle` takes the epoch that is best **on the test fold**, as the paper did;
  `last` the last epoch; `validated` the epoch that is best on clips held out of the
  training folds, in a second training without them.
- `emobox`: the folds that EmoBox gives, whole clips, training on that corpus alone,
  last epoch. Its folds of CASIA, RAVDESS and SAVEE share no speakers, those of EMODB
  do. *CPAC, all corpora in one* is one recipe for all: network k is trained on all
  corpora of `training/configs/emobox.toml` but test fold k of each, and scored on
  those, among the classes of each corpus. A corpus without a fold k is wholly in
  training, as CREMA-D's happy and sad clips always are.
- `loso`: each speaker left out in turn.
- `cross`: trained on one corpus with labels, adapted to another without; five classes
  (angry, fear, happy, neutral, sad). *Transductive*: scored on the clips adapted to, as
  in the paper; *inductive*: on the half of the speakers that was not adapted to, each
  half in turn. `validated` chooses on held-out speakers of the **source**; `oracle` on
  the target's labels. The paper does not say how it chose the epoch; its seeds differ
  by pair and were chosen by result. *Supervised* (Table S5): an SVM on the adapted
  features is given the labels of 80 % of the target and scored on the rest.

Cells give the mean over all folds and seeds and, in brackets, a 95 % interval: UAR or
WAR of all their test clips together, in {n_bootstrap} bootstrap draws of whole
speakers (seeded). It covers whom one tests on, not the luck of a training. The UAR of
all clips is not the mean of the folds' UAR: where folds lack a class or differ in
size, as in `loso`, the two are points apart and the interval lies to one side. macro
F1 is a mean over the classes that a fold has. † marks fewer than five speakers (CASIA
and SAVEE have four): such an interval is crude. Where a seed has all its folds, seeds
half run are left out; where none has, the cell says how many folds it rests on. "One
fit": no epochs to choose from.

What differs from the paper, beside what it leaves open:

- *CPAC, as published code* and the ablations: the network and the loss are the
  published ones; the training is not. MFCCs are shifted and scaled to deviation 20
  instead of raw; clips of 3 s (CASIA, EMODB) or 4.354 s; Adam with one cycle to 1e-3
  and its usual betas, batch 16, mixup, masked stretches, averaged weights; 60 epochs
  instead of 300. *As written* has Eq. 2's projections and 1/sqrt(d) and working batch
  norm. *Streaming* is the network that the daemon runs: as written, with routing by
  the mean, a constant gain of 30 and cross-entropy, on windows of at most 1.9 s of
  whole clips.
- Across corpora all networks are the streaming one with a ReLU before both heads;
  each corpus is shifted and scaled to mean 0 and deviation 1 by its own frames. "20
  epochs" are 20 times 20 steps of 32 clips of either corpus, from a source checkpoint
  of 30 epochs that all methods share; new heads learn ten times faster. gamma is 1.5,
  or that of the published code's comments (1.6 for EMODB to CASIA, 1.3 for EMODB with
  SAVEE), which its authors chose by result.
- Working batch norm sees both corpora with CAAM, DANN and CDAN, and the source alone
  with Algorithm 4: a part of their gain may be that.
- The source is not augmented. NMFTSL is our reading of its abstract, on eGeMAPS: no
  claim to be the authors' algorithm.
"""
