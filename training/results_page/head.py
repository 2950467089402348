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
  do.
- `loso`: each speaker left out in turn.
- `cross`: trained on one corpus with labels, adapted to another without; five classes
  (angry, fear, happy, neutral, sad). *Transductive*: scored on the clips adapted to, as
  in the paper; *inductive*: on the half of the speakers that was not adapted to, each
  half in turn. `validated` chooses on held-out speakers of the **source**; `oracle` on
  the target's labels, as the paper did. *Supervised* (Table S5): an SVM on the adapted
  features is given the labels of 80 % of the target and scored on the rest.

Cells give the mean over all folds and seeds and, in brackets, a 95 % interval: UAR or
WAR of all their test clips together, in {n_bootstrap} bootstrap draws of whole speakers
(seeded). It covers whom one tests on, not the luck of a training. The UAR of all clips
is not quite the mean of the folds' UAR, so an interval need not lie evenly about the
mean. † marks fewer than five speakers (CASIA and SAVEE have four): such an interval is
crude. Where a seed has all its folds, seeds half run are left out; where none has, the
cell says how many folds it rests on. "One fit": no epochs to choose from.
"""
