"""How a model is used once it was taken along: programs that run as they stand, beside the unpacked folder. No torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

TEXTS = ("What is the capital of France?", "Paris is the capital of France.")


@dataclass(frozen=True)
class Snippet:
    id: str
    label: str
    language: str
    code: str
    needs: str = ""
    """What must be there first, in one sentence."""


def _prompts(prompts: Mapping[str, str]) -> tuple[str, str]:
    query = prompts.get("query", "")
    return query, next((prompts[name] for name in ("document", "passage", "corpus") if name in prompts), "")


def python(folder: str, prompts: Mapping[str, str]) -> str:
    query, document = _prompts(prompts)
    told = query != document
    return "\n".join(
        [
            "from sentence_transformers import SentenceTransformer",
            "",
            f"model = SentenceTransformer({json.dumps(folder)})",
            f"queries = model.{'encode_query' if told else 'encode'}([{json.dumps(TEXTS[0])}])",
            f"documents = model.{'encode_document' if told else 'encode'}([{json.dumps(TEXTS[1])}])",
            "print(model.similarity(queries, documents))",
        ]
    )


def _read(prompts: Mapping[str, str]) -> list[str]:
    """Lines that make token numbers of two texts."""
    query, document = _prompts(prompts)
    return [
        f"texts = [{json.dumps(query + TEXTS[0])}, {json.dumps(document + TEXTS[1])}]",
        "found = tokenizer.encode_batch(texts)",
        "ids = {name: np.array([getattr(one, part) for one in found], np.int64)",
        '       for name, part in (("input_ids", "ids"), ("attention_mask", "attention_mask"))}',
    ]


def onnx(folder: str, prompts: Mapping[str, str], path: str = "onnx/model.onnx") -> str:
    return "\n".join(
        [
            "import numpy as np",
            "import onnxruntime",
            "from tokenizers import Tokenizer",
            "",
            f"folder = {json.dumps(folder)}",
            'tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")  # cuts and pads as the model does',
            f'session = onnxruntime.InferenceSession(f"{{folder}}/{path}")',
            *_read(prompts),
            'vectors = session.run(["sentence_embedding"], ids)[0]',
            "print(vectors[0] @ vectors[1])",
        ]
    )


def openvino(folder: str, prompts: Mapping[str, str], path: str = "openvino/openvino_model.xml") -> str:
    return "\n".join(
        [
            "import numpy as np",
            "import openvino",
            "from tokenizers import Tokenizer",
            "",
            f"folder = {json.dumps(folder)}",
            'tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")  # cuts and pads as the model does',
            f'model = openvino.Core().compile_model(f"{{folder}}/{path}", "CPU")',
            *_read(prompts),
            'vectors = model(ids)[model.output("sentence_embedding")]',
            "print(vectors[0] @ vectors[1])",
        ]
    )


def javascript(folder: str, prompts: Mapping[str, str], precision: str = "fp32") -> str:
    query, document = _prompts(prompts)
    return "\n".join(
        [
            'import { AutoModel, AutoTokenizer, env } from "@huggingface/transformers";',
            "",
            "env.allowRemoteModels = false;",
            'env.localModelPath = "./"; // where the folder lies; in a browser the address that it is served at',
            f"const tokenizer = await AutoTokenizer.from_pretrained({json.dumps(folder)});",
            f'const model = await AutoModel.from_pretrained({json.dumps(folder)}, {{ dtype: "{precision}" }});',
            f"const texts = [{json.dumps(query + TEXTS[0], ensure_ascii=False)}, {json.dumps(document + TEXTS[1], ensure_ascii=False)}];",
            "const inputs = await tokenizer(texts, { padding: true, truncation: true });",
            "const { sentence_embedding } = await model(inputs);",
            "console.log(sentence_embedding.tolist());",
        ]
    )


def curl(address: str, model: str) -> str:
    """A question to the studio's own /v1/embeddings."""
    body = json.dumps({"model": model, "input": [TEXTS[0]]})
    return "\n".join(
        [
            f"curl {address}/v1/embeddings \\",
            '  -H "Authorization: Bearer $STUDIO_KEY" \\',
            '  -H "Content-Type: application/json" \\',
            f"  -d '{body}'",
        ]
    )


def usage(form: str, prompts: Mapping[str, str]) -> list[str]:
    """Lines of a card: how the files of a form are used, in the folder that they lie in."""
    blocks = [("Python", "python", onnx(".", prompts) if form == "onnx" else openvino(".", prompts))]
    if form == "onnx":
        blocks.append(("JavaScript (transformers.js)", "javascript", javascript("my-model", prompts)))
    lines = []
    for label, language, code in blocks:
        lines += [f"{label}:", "", f"```{language}", *code.splitlines(), "```", ""]
    if form == "onnx":
        lines += ['With `dtype: "q8"` transformers.js takes the int8 file.', ""]
    return lines


def snippets(folder: str, prompts: Mapping[str, str], address: str, model: str, serves: bool) -> tuple[Snippet, ...]:
    """What the page offers. ``folder``: name of the unpacked folder; ``serves``: whether this studio has /v1/embeddings."""
    found = [
        Snippet(
            "python",
            "Python",
            "python",
            python(folder, prompts),
            "Needs: pip install sentence-transformers, and the zip, unpacked.",
        ),
        Snippet(
            "javascript",
            "JavaScript",
            "javascript",
            javascript(f"{folder}-onnx-int8", prompts, "q8"),
            'Needs: npm install @huggingface/transformers, and the zip of ONNX int8, unpacked. For float32 take that zip and dtype "fp32".',
        ),
        Snippet(
            "onnx",
            "ONNX in Python",
            "python",
            onnx(f"{folder}-onnx", prompts),
            "Needs: pip install onnxruntime tokenizers, and the zip of ONNX float32, unpacked.",
        ),
        Snippet(
            "openvino",
            "OpenVINO in Python",
            "python",
            openvino(f"{folder}-openvino", prompts),
            "Needs: pip install openvino tokenizers, and the zip of OpenVINO float32, unpacked.",
        ),
    ]
    if serves:
        words = "Asks this studio: let the model answer there first, and make a key for STUDIO_KEY."
        found.append(Snippet("curl", "cURL", "shell", curl(address, model), words))
    return tuple(found)
