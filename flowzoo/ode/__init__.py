"""Ordinary differential equations: solvers for batches, with gradients."""

from flowzoo.ode.gradients import solve
from flowzoo.ode.solver import DONE, NOT_FINITE, STEP_TOO_SMALL, TOO_MANY_STEPS, Solution, Solver, SolverError
from flowzoo.ode.tableaus import TABLEAUS

__all__ = [
    "DONE",
    "NOT_FINITE",
    "STEP_TOO_SMALL",
    "TABLEAUS",
    "TOO_MANY_STEPS",
    "Solution",
    "Solver",
    "SolverError",
    "solve",
]
