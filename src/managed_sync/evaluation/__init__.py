"""Answer quality: questions with known answers, asked of any retriever, as users.

See ``docs/concepts/answer-quality.md`` for the measures.
"""

from managed_sync.evaluation.figures import Figures
from managed_sync.evaluation.outcomes import Outcome
from managed_sync.evaluation.questions import Answer, EvaluationQuestion, load_questions
from managed_sync.evaluation.report import Evaluation
from managed_sync.evaluation.runs import aevaluate, evaluate

__all__ = [
    "Answer",
    "Evaluation",
    "EvaluationQuestion",
    "Figures",
    "Outcome",
    "aevaluate",
    "evaluate",
    "load_questions",
]
