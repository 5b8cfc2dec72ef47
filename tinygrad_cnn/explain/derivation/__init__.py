"""Derivations: the chain rule of a recorded run, printed, evaluated and checked.

===============  ====================================================================
`expression`     the language of index sums
`rule_text`      the text of a rule, read as such a formula
`forms`          index forms: `pointwise`, `arrays`, `keys`, `windows`, `pooling`, `norms`,
                 `selections`, `losses`
`evaluation`     the slow interpreter, with a bound of rounding errors
`notation`       formulas as text and LaTeX; `python_notation`: as functions to be run
`shortening`     long names and long lines
`scalars`        formulas as graphs of scalar elements
`chain`          the values between a result and what it is derived by, and their names
`lines`          equations that can be checked
`pages`          whole derivations as text, Markdown and LaTeX
`derivation`     :func:`derive`
===============  ====================================================================
"""

from tinygrad_cnn.explain.derivation.derivation import Derivation, derive
from tinygrad_cnn.explain.derivation.forms import FORMS

__all__ = ["FORMS", "Derivation", "derive"]
