"""Intervals: what a count or a handful of seeds allows to say.

Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika
1934; Garwood, "Fiducial limits for the Poisson distribution", Biometrika 1936; Efron, "Bootstrap methods: another look
at the jackknife", Annals of Statistics 1979 (percentile interval).
"""
import math
import random

RESAMPLES = 2000
ROUNDS = 200  # of bisection: more than the bits of a double


def log_beta(a, b):
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def beta_cdf(x, a, b):
    """The regularised incomplete beta function, by its continued fraction (modified Lentz)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side only
        return 1 - beta_cdf(1 - x, b, a)
    tiny = 1e-300
    factor = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta(a, b)) / a
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    value = d
    for m in range(1, 10000):
        for term in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                     -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d = 1 + term * d
            c = 1 + term / c
            d = 1 / (d if abs(d) > tiny else tiny)
            c = c if abs(c) > tiny else tiny
            value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return min(1.0, factor * value)


def solve(rising, low, high):
    """Where a rising function crosses zero."""
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return high


def binomial_upper(events, trials, confidence=0.95):
    """One-sided Clopper-Pearson upper bound on a rate; None without trials."""
    if trials == 0:
        return None
    if events >= trials:
        return 1.0
    if events == 0:
        return -math.expm1(math.log1p(-confidence) / trials)
    return solve(lambda p: beta_cdf(p, events + 1, trials - events) - confidence, 0.0, 1.0)


def binomial_lower(events, trials, confidence=0.95):
    """One-sided Clopper-Pearson lower bound on a rate; None without trials."""
    if trials == 0:
        return None
    return 1 - binomial_upper(trials - events, trials, confidence)


def poisson_cdf(events, mean):
    """The chance of at most so many."""
    if mean <= 0:
        return 1.0
    logs = [n * math.log(mean) - mean - math.lgamma(n + 1) for n in range(events + 1)]
    top = max(logs)
    return min(1.0, math.exp(top) * math.fsum(math.exp(value - top) for value in logs))


def poisson_upper(events, confidence=0.95):
    """One-sided upper bound on the mean of a Poisson count."""
    high = events + 10 * math.sqrt(events + 1) + 10
    return solve(lambda mean: 1 - confidence - poisson_cdf(events, mean), 0.0, high)


def poisson_lower(events, confidence=0.95):
    """One-sided lower bound on the mean of a Poisson count."""
    if events == 0:
        return 0.0
    return solve(lambda mean: 1 - poisson_cdf(events - 1, mean) - (1 - confidence), 0.0, float(events))


def mean(values):
    return math.fsum(values) / len(values)


def median(values):
    """Of numbers that may be infinite: the upper one of the two in the middle if these differ that much."""
    ordered = sorted(values)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return (low + high) / 2 if math.isfinite(high) else high


def bootstrap(worlds, statistic=mean, confidence=0.95):
    """Percentile interval of a statistic over whole worlds, each drawn with replacement; None for fewer than two.

    A world is whatever the statistic reads, one entry a seed: accounts of one world are not independent, worlds are.
    The same input gives the same interval.
    """
    if len(worlds) < 2:
        return None
    generator = random.Random(20260301)
    drawn = sorted(statistic(generator.choices(worlds, k=len(worlds))) for _ in range(RESAMPLES))
    tail = (1 - confidence) / 2
    return drawn[int(tail * RESAMPLES)], drawn[min(RESAMPLES - 1, math.ceil((1 - tail) * RESAMPLES) - 1)]
