"""NMFTSL: nonnegative matrix factorisation based transfer subspace learning.

After Hui Luo and Jiqing Han, "Nonnegative Matrix Factorization Based Transfer Subspace
Learning for Cross-Corpus Speech Emotion Recognition", IEEE/ACM Trans. Audio, Speech and
Language Processing 28 (2020), pp. 2047-2060, doi:10.1109/TASLP.2020.3006331.

The text of the paper was not at hand. What follows is a reading of its abstract, which
names the terms: a subspace shared by both corpora, without their individual components;
maximum mean discrepancy of the marginal and of the conditional distributions; a joint
prediction of the target's labels; a difference loss; a discrimination loss. How each is
written, its weight and its update rule are ours.

For corpus d, source s or target t, with clips in rows and all matrices nonnegative:

    X_d (n_d, m)  features            U   (k, m)  shared basis     H_d (n_d, k)  codes
    B   (k, C)    regression          V_d (p, m)  individual one   G_d (n_d, p)  codes

minimise, with n = n_s + n_t and H = [H_s; H_t],

    sum_d |X_d - H_d U - G_d V_d|^2               reconstruction
    + n transfer tr(H^T M H)                      MMD: squared distances of mean codes,
                                                  source to target, over all clips and
                                                  within each class
    + n difference sum_d |U V_d^T|^2              shared and individual bases orthogonal
    + discrimination |Y - H_l B|^2                one-hot labels from the codes of the
                                                  labelled source clips, H_l
    + ridge (|H|^2 + |G|^2 + n |U|^2 + n |V|^2 + n |B|^2)    settles the scale

The classes of target clips in M are those a linear SVM, trained on the labelled source
clips, gives them; they are renewed after every `updates` updates, and in the first
round only the marginal distance counts. For the SVM, and for the answer, every clip is
coded anew on the bases alone, by nonnegative least squares. The codes H themselves
will not do: labels pull on those of labelled clips and on no others, so that an SVM
trained on the former is at a loss with the latter (on eGeMAPS, held-out source speakers
lost up to 15 points of UAR by it). So labels and distances act through U, and clips
that were not part of the factorisation are coded like all others.

Each factor in turn is updated by F <- F * negative / positive, the two parts of the
gradient. No update raises the objective while the classes stay: a quadratic form
f^T (P - N) f with P >= 0 elementwise and N positive semidefinite lies below its
linearisation plus the diagonal form of P f' / f' (Lee and Seung 2001; Cai et al. 2011),
and e e^T, with e = p - q the weights of a mean difference, is such a form:
2 p p^T + 2 q q^T - (p + q)(p + q)^T.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ser_stream.errors import ConfigError
from training.baselines.svm import Features, Ints, fit_predict

UNLABELLED = -1
"""Class of a source clip whose label may not be used, such as a validation clip."""
_TINY = 1e-12
_NOTHING = 1e-15
"""Factors below are set to 0: squares of theirs would be denormal and very slow."""


@dataclass(frozen=True, slots=True)
class NmftslConfig:
    """Sizes and weights of the objective."""

    shared: int = 40
    """k, dimensions of the shared subspace."""
    individual: int = 10
    """p, dimensions of what each corpus has for itself."""
    transfer: float = 0.01
    difference: float = 0.1
    discrimination: float = 0.003
    ridge: float = 1e-4
    rounds: int = 6
    """How often the target's classes are predicted anew."""
    updates: int = 40
    """Updates of all factors in a round."""
    c: float = 0.01
    seed: int = 98

    def __post_init__(self) -> None:
        for name in ("shared", "individual", "rounds", "updates"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; allowed: 1 or more"
                )
        for name in ("transfer", "difference", "discrimination", "ridge"):
            if getattr(self, name) < 0:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; allowed: 0 or more"
                )


@dataclass(frozen=True, slots=True)
class Codes:
    """Both corpora in the shared subspace."""

    source: Features
    """(n_source, k)."""
    target: Features
    """(n_target, k)."""
    basis: Features
    """(k + p, m), the shared basis over the target's individual one."""

    def encode(self, target_x: Features) -> Features:
        """Codes (n, k) of more target clips, (n, m), on the basis as it is."""
        return encode(target_x, self.basis)[:, : self.source.shape[1]]


def encode(x: Features, basis: Features, updates: int = 100) -> Features:
    """The nonnegative codes that best rebuild each row of `x` on its own.

    Args:
        x: (n, m), nonnegative.
        basis: (k, m), nonnegative.
        updates: how many multiplicative updates approach the least squares.

    Returns:
        (n, k).
    """
    codes = np.full((len(x), len(basis)), 0.1, basis.dtype)
    wanted, gram = x @ basis.T, basis @ basis.T
    for _ in range(updates):
        _multiply(codes, wanted, codes @ gram)
    return codes


def unit_range(x: Features, reference: Features) -> Features:
    """Features as NMF needs them: nonnegative, and each row of a length below 1.

    Standardised by the mean and deviation of `reference`, rows of the same corpus,
    then clipped at 3 deviations, shifted and scaled to [0, 1 / sqrt(m)].

    Args:
        x: (n, m).
        reference: (n', m).

    Returns:
        float32, (n, m).
    """
    mean, deviation = reference.mean(0), reference.std(0)
    # A feature that is constant in the corpus tells nothing: it lies at the middle.
    safe = np.where(deviation > 0, deviation, np.inf)
    unit = np.clip((x - mean) / safe, -3, 3) / 6 + 0.5
    scaled: Features = (unit / np.sqrt(x.shape[1])).astype(np.float32)
    return scaled


def nmftsl(
    source_x: Features, source_y: Ints, target_x: Features, config: NmftslConfig
) -> Codes:
    """Factorise both corpora.

    Args:
        source_x: (n_source, m), nonnegative; see `unit_range`.
        source_y: (n_source,), classes from 0; `UNLABELLED` for clips without a label.
        target_x: (n_target, m), nonnegative.
        config: sizes and weights.

    Raises:
        ConfigError: if a feature is negative or NaN, or there are fewer than two
            classes.
    """
    for name, x in (("source", source_x), ("target", target_x)):
        if not (x >= 0).all():
            raise ConfigError(
                f"the {name}'s features hold negative values or NaN; NMF allowed: 0 or "
                "more; pass them through unit_range"
            )
    model = Factorisation(source_x, source_y, target_x, config)
    for i in range(config.rounds):
        if i > 0:
            model.target_classes(classify(model.codes(), source_y, config.c))
        for _ in range(config.updates):
            model.update()
    return model.codes()


def classify(
    codes: Codes, source_y: Ints, c: float, rows: Features | None = None
) -> Ints:
    """Classes of the target clips, or of the codes `rows`, by a linear SVM.

    It is trained on the codes of the labelled source clips.
    """
    known = source_y != UNLABELLED
    wanted = codes.target if rows is None else rows
    return fit_predict(codes.source[known], source_y[known], wanted, c)


class Factorisation:
    """The factors, their updates, and the objective these lower."""

    def __init__(
        self,
        source_x: Features,
        source_y: Ints,
        target_x: Features,
        config: NmftslConfig,
    ) -> None:
        self.config = config
        self.x = (source_x, target_x)
        self.n = len(source_x) + len(target_x)
        self._source_y = source_y
        kind = source_x.dtype
        self._known = np.flatnonzero(source_y != UNLABELLED)
        n_classes = int(source_y.max()) + 1
        self._one_hot = np.eye(n_classes, dtype=kind)[source_y[self._known]]
        rng = np.random.default_rng(config.seed)

        def positive(*shape: int) -> Features:
            # Around 1 / sqrt(k) a product of codes and basis has the data's scale.
            scale = 2 / np.sqrt(config.shared)
            drawn: Features = scale * rng.uniform(0.1, 1, shape)
            return drawn.astype(kind)

        k, p, m = config.shared, config.individual, source_x.shape[1]
        # [H_d, G_d] and [U; V_d] are kept in one piece each.
        self.rows = [positive(len(x), k + p) for x in self.x]
        self.shared = positive(k, m) / np.sqrt(m, dtype=kind)
        self.individual = [positive(p, m) / np.sqrt(m, dtype=kind) for _ in self.x]
        self.regression = positive(k, n_classes)
        self.target_classes(None)

    def codes(self) -> Codes:
        """All clips coded on the bases as these are now."""
        k = self.config.shared
        bases = [self._basis(0), self._basis(1)]
        source, target = (
            encode(x, basis)[:, :k] for x, basis in zip(self.x, bases, strict=True)
        )
        return Codes(source, target, bases[1])

    def _basis(self, corpus: int) -> Features:
        return np.concatenate([self.shared, self.individual[corpus]])

    def target_classes(self, classes: Ints | None) -> None:
        """Take these classes of the target clips, (n_target,), for the true ones."""
        # Rows of mean weights: `_p` over the source, `_q` over the target. The first is
        # of all clips, the others of a class each; shapes (1 + C, n_d).
        members: list[list[NDArray[np.bool_]]] = [
            [np.ones(len(x), bool)] for x in self.x
        ]
        if classes is not None:
            for c in range(self._one_hot.shape[1]):
                of_class = (self._source_y == c, classes == c)
                if all(rows.any() for rows in of_class):
                    for rows, found in zip(members, of_class, strict=True):
                        rows.append(found)
        self._p, self._q = (
            np.array([rows / rows.sum() for rows in of_corpus], self.x[0].dtype)
            for of_corpus in members
        )

    def update(self) -> None:
        self._update_codes()
        self._update_bases()
        self._update_regression()

    def _update_codes(self) -> None:
        config, k = self.config, self.config.shared
        codes = [rows[:, :k] for rows in self.rows]
        weight = self.n * config.transfer
        means = self._p @ codes[0], self._q @ codes[1]
        parts = []
        for corpus, weights in enumerate((self._p, self._q)):
            basis = self._basis(corpus)
            rows = self.rows[corpus]
            down = self.x[corpus] @ basis.T
            up = rows @ (basis @ basis.T) + config.ridge * rows
            down[:, :k] += weight * weights.T @ (means[0] + means[1])
            up[:, :k] += 2 * weight * weights.T @ means[corpus]
            parts.append((down, up))
        down, up = parts[0]
        b, known = self.regression, self._known
        down[known, :k] += config.discrimination * (self._one_hot @ b.T)
        up[known, :k] += config.discrimination * (codes[0][known] @ (b @ b.T))
        for rows, (down, up) in zip(self.rows, parts, strict=True):
            _multiply(rows, down, up)

    def _update_bases(self) -> None:
        config, k = self.config, self.config.shared
        products = [r.T @ x for r, x in zip(self.rows, self.x, strict=True)]
        grams = [rows.T @ rows for rows in self.rows]
        ridge, weight = self.n * config.ridge, self.n * config.difference
        up = ridge * self.shared
        for corpus, v in enumerate(self.individual):
            up += grams[corpus][:k] @ self._basis(corpus)
            up += weight * (self.shared @ v.T) @ v
        down = products[0][:k] + products[1][:k]
        _multiply(self.shared, down, up)
        for corpus, v in enumerate(self.individual):
            up = grams[corpus][k:] @ self._basis(corpus) + ridge * v
            up += weight * (v @ self.shared.T) @ self.shared
            _multiply(v, products[corpus][k:], up)

    def _update_regression(self) -> None:
        config, b = self.config, self.regression
        codes = self.rows[0][self._known, : config.shared]
        up = config.discrimination * (codes.T @ codes) @ b
        up += self.n * config.ridge * b
        down = config.discrimination * (codes.T @ self._one_hot)
        _multiply(b, down, up)

    def objective(self) -> float:
        """The value that `update` does not raise; see the top of this module."""
        config, k = self.config, self.config.shared
        codes = [rows[:, :k] for rows in self.rows]
        total = self.n * config.transfer * _sum(self._p @ codes[0] - self._q @ codes[1])
        for corpus, (x, rows) in enumerate(zip(self.x, self.rows, strict=True)):
            v = self.individual[corpus]
            total += _sum(x - rows @ self._basis(corpus))
            total += self.n * config.difference * _sum(self.shared @ v.T)
            total += config.ridge * (_sum(rows) + self.n * _sum(v))
        guess = codes[0][self._known] @ self.regression
        total += config.discrimination * _sum(self._one_hot - guess)
        return total + config.ridge * self.n * (
            _sum(self.shared) + _sum(self.regression)
        )


def _multiply(factor: Features, down: Features, up: Features) -> None:
    factor *= down / (up + _TINY)
    factor[factor < _NOTHING] = 0


def _sum(x: Features) -> float:
    """Sum of squares."""
    return float(np.sum(np.square(x, dtype=np.float64)))
