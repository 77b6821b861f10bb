"""Words that say nothing about the subject of a question, by language."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["without_stop_words"]

_STOP_WORDS = {
    "en": """a about after all also am an and any are as at be been before being but by can could
        did do does doing done for from get give had has have having he her here hers him his how
        i if in into is its just me more most my no nor not of off on or our out over please she
        should so some such tell than that the their them then there these they this those to too
        under up was we were what when where which while who whom whose why will with would you
        your s t re ve ll d m don doesn didn isn aren wasn won""",
    "de": """aber als am an auch auf aus bei bin bis bist da dann das dass dem den der des die dies
        diese dieser dieses doch du durch ein eine einem einen einer eines er es fur gibt hat
        haben hatte ich ihr im in ist ja kann kein keine man mein mit muss nach nicht noch nur ob
        oder sein sich sie sind so uber um und uns unser unsere unter vom von vor wann war waren
        warum was welche welcher welches wem wen wenn wer werden wie wieviel wir wird wo wurde
        wurden zu zum zur""",
    "fr": """a au aux avec c ce ces cette combien comment d dans de des du elle en es est et etait
        etre eu fait il ils j je l la le les leur lui m ma mais me mes mon n ne nous on ou par pas
        pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa se ses son sont sur t
        ta te tu un une vos votre vous y""",
    "es": """a al como con cual cuales cuando cuanto cuantos de del donde el ella ellos en entre era
        es esta este esto estos fue ha han hay la las le les lo los mas me mi muy no nos o para
        pero por porque que quien quienes se segun ser si sin sobre son su sus tambien te tiene un
        una uno unos y ya yo""",
    "it": """a ai al alla anche c che chi ci come con cosa da dal dalla dei del della delle di dove
        e essere gli ha hanno i il in io l la le lo ma mi nel nella noi non o per perche piu qual
        quale quali quando quanto quanti se si sono su sua suo sul tra tu un una uno""",
    "nl": """aan al als bij dan dat de deze die dit door een en er had heb heeft het hij hoe hoeveel
        ik in is kan met mijn na naar niet nog of om onder ons onze ook op over te tot uit van
        veel voor waar waarom wanneer was wat we welke wie wij worden wordt zijn zo""",
    "pt": """a ao aos as com como da das de do dos e ela ele em era essa esse esta este eu foi ha
        isso mais mas me meu na nao nas no nos o onde os ou para pela pelo por porque qual quais
        quando quanto quantos que quem se sem ser seu sua sao tem um uma voce""",
}
_BY_LANGUAGE = {language: frozenset(words.split()) for language, words in _STOP_WORDS.items()}


def without_stop_words(words: Sequence[str]) -> list[str]:
    """Returns the words without the stop words of the language that most of them belong to.

    A stop word of one language is a subject in another, such as "die" and "not". A question that
    has no other words keeps all.

    Args:
        words: The words of a question, folded.

    Examples:
        >>> without_stop_words(["who", "may", "book", "the", "hall"])
        ['may', 'book', 'hall']
        >>> without_stop_words(["wer", "darf", "die", "halle", "buchen"])
        ['darf', 'halle', 'buchen']
    """
    # The first one of several with the same number: English.
    stop_words = max(_BY_LANGUAGE.values(), key=lambda known: sum(word in known for word in words))
    return [word for word in words if word not in stop_words] or list(words)
