"""log |det dz/dx| by automatic differentiation, under the name by which the tests import it."""

from flowzoo.testing import log_det_of_jacobian

__all__ = ["log_det_of_jacobian"]
