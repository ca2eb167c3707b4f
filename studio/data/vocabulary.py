"""What columns are called in the tables of this world: names that tell a role, in several languages."""

import re
import unicodedata

_WORDS = {
    "anchor": """
        anchor query queries question q sentence1 sentence_1 sentence_a sentencea sent1 sent_1 s1 text1 text_1 text_a texta str1 string1
        first premise title heading headline name word term summary subject source src input prompt instruction request search keyword
        question1 q1 phrase1 left original problem issue utterance claim
        frage anfrage suchanfrage titel satz1 satz_1 satz_a text_eins begriff ueberschrift betreff
        question_1 requete titre phrase_1 phrase_a texte1 texte_1 texte_a terme mot nom
        pregunta consulta titulo frase1 frase_1 texto1 texto_1 termino nombre
        pergunta domanda titolo testo1 testo_1 frase_a vraag zoekopdracht vopros zapros вопрос запрос заголовок название
        質問 問題 クエリ タイトル 问题 查询 标题 題名 질문 제목 سؤال
    """,
    "positive": """
        positive positives pos answer answers document doc passage paragraph context description desc response reply sentence2 sentence_2
        sentence_b sentenceb sent2 sent_2 s2 text2 text_2 text_b textb str2 string2 second hypothesis target tgt output completion body
        content abstract definition article paraphrase translation question2 question_2 q2 phrase2 right solution resolution evidence
        duplicate_text match_text positive_text gold_answer correct_answer
        antwort beschreibung dokument absatz inhalt satz2 satz_2 satz_b uebersetzung loesung
        reponse description_fr texte2 texte_2 texte_b phrase_2 phrase_b traduction contenu
        respuesta descripcion documento pasaje frase2 frase_2 texto2 texto_2 traduccion contenido
        resposta descricao risposta descrizione testo2 testo_2 frase_b antwoord beschrijving otvet ответ описание документ текст
        回答 答え 答案 文档 描述 説明 文書 本文 답변 설명 جواب
    """,
    "negative": """
        mined_negative
        negative negatives neg hard_negative hard_negatives hard_neg distractor wrong_answer incorrect_answer irrelevant negative_text
        negativ negativo negatif negativa falsche_antwort mauvaise_reponse
    """,
    "score": """
        score scores similarity similarity_score sim relatedness relatedness_score gold_score sts_score stsscore sts rating relevance
        relevance_score human_score mean_score avg_score
        aehnlichkeit bewertung similarite similitud puntuacion pontuacao similarita punteggio оценка 類似度 スコア 相似度 分数 점수
    """,
    "label": """
        label labels is_duplicate duplicate gold gold_label class target_label is_match match matches relevant is_relevant is_paraphrase
        same is_similar similar correct is_correct y
        etikett klasse etiquette etiqueta etichetta gleich 标签 ラベル 라벨
    """,
    # Closed sets of values: the class of a text, or its positive when there is no better one.
    "class": """
        category topic intent tag genre kind type group department sentiment emotion kategorie thema categorie categoria tema sujet thème
        class class_id label_id coarse_label fine_label klasse classe clase 类别 カテゴリ 분류
    """,
    # Never a role when a name says it.
    "other": """
        id ids idx index key uuid guid qid pid url uri link href date time timestamp year month day created updated price cost amount count
        number num n length len size age lat lon latitude longitude x z quantity total rank position order split fold page line row votes
        views likes stars version code status email phone zip
        preis jahr datum anzahl prix annee fecha precio
    """,
    # A text, of no telling which role.
    "text": "text texts sentence phrase message comment content tweet review satz texte texto testo",
}

NAMES = {group: frozenset(words.split()) for group, words in _WORDS.items()}


def plain_name(name: str) -> str:
    """``camelCase``, blanks, accents and punctuation brought to ``snake_case``."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    name = name.casefold().replace("ä", "ae").replace("ö", "oe").replace("ü", "ue").replace("ß", "ss")
    if name.isascii() or not re.search(r"[\u0400-\uffff]", name):
        name = "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))
    return re.sub(r"[^\w]+|_+", "_", name).strip("_")


MINED = "mined_negative"


def name_fit(name: str, group: str) -> float:
    """How well a column's name fits a group of names: 1 the whole name, 0.6 one of its words, 0 not at all."""
    plain = plain_name(name)
    names = NAMES[group]
    if plain in names or (group == "negative" and re.sub(r"_?\d+$", "", plain) in names):
        return 1.0
    words = plain.split("_")
    return 0.6 if any(word in names or word.rstrip("0123456789") in names for word in words if len(word) > 1) else 0.0


def is_mined(name: str) -> bool:
    """Whether a column of negatives says that a model chose them, as the command ``negatives`` names it."""
    return re.sub(r"_?\d+$", "", plain_name(name)) == MINED


def names_a_role(name: str) -> bool:
    """Whether a cell is word for word a name that columns have."""
    return any(name_fit(name, group) == 1.0 for group in NAMES)
