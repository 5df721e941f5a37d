"""The doctor: whether an environment of ``toolkit.yaml`` can be worked with, and what to do where it cannot.

examination   steps that ask, one after the other, and what came of each
subject       the environment that is examined, and what several steps ask of it
steps         what is asked of every environment
over_the_web  what is asked of a Dataverse organization
storage       what is asked of storage accounts in Azure
live          what the documents say about Dataverse, tried with a scratch entity
live_storage  what they say about storage, tried in a file system of its own
"""

from toolkit.doctor.examination import Check, Outcome, examine, passed
from toolkit.doctor.live import Trial, trial
from toolkit.doctor.steps import STEPS
from toolkit.doctor.subject import Subject

__all__ = ["STEPS", "Check", "Outcome", "Subject", "Trial", "examine", "passed", "trial"]
