"""Writes a Qwen3-VL of random weights, half a million of them, with a tokenizer of single bytes.

    python random_model.py FOLDER

What it says means nothing; that it is read, counted, held to grammars and cancelled is the point. So that it
comes to an end, its last layer is not random: after a letter it likes the next one of the alphabet, after
the last of them the end. One number of each token's state is the same everywhere, so that a token's weight
for it is how often it is said otherwise: what closes JSON at times, marks never.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

SEED = 11
WIDTH = 64
WINDOW = 8192
CONSTANT = 0.5
"""The number that is the same everywhere; the others are a tenth of it."""

MARKS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
LAST = " the end."
ALPHABET = (*"\nabcdefghijklmnopqrstuvwxyz", LAST)
CLOSING = '"]}'
TEMPLATE = """{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content -%}
{% if part.type == 'text' %}{{ part.text }}{% else %}<|vision_start|><|image_pad|><|vision_end|>{% endif %}
{%- endfor %}{% endif %}<|im_end|>
{% endfor -%}
{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """A token for each byte, and the family's marks."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={each: at for at, each in enumerate(alphabet)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(mark, special=True) for mark in MARKS])
    made.add_tokens([AddedToken(LAST, special=False)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=WINDOW
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    told = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**told, "processor_class": "Qwen3VLProcessor"}), "utf-8")
    return fast


def config(tokens: PreTrainedTokenizerFast) -> Qwen3VLConfig:
    """The architecture, as small as it goes."""
    mark = {name: tokens.convert_tokens_to_ids(name) for name in MARKS}
    rope = {
        "rope_type": "default",
        "rope_theta": 10000.0,
        "mrope_section": [6, 5, 5],
        "mrope_interleaved": True,
    }
    text = {
        "vocab_size": -(-len(tokens) // 64) * 64,
        "hidden_size": WIDTH,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "max_position_embeddings": WINDOW,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        "rope_parameters": rope,
        "rope_scaling": rope,
        "bos_token_id": mark["<|endoftext|>"],
        "eos_token_id": mark["<|im_end|>"],
        "pad_token_id": mark["<|endoftext|>"],
    }
    vision = {
        "depth": 2,
        "hidden_size": WIDTH,
        "intermediate_size": 128,
        "num_heads": 2,
        "out_hidden_size": WIDTH,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0, 1],
    }
    return Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=mark["<|image_pad|>"],
        video_token_id=mark["<|video_pad|>"],
        vision_start_token_id=mark["<|vision_start|>"],
        vision_end_token_id=mark["<|vision_end|>"],
        tie_word_embeddings=False,
    )


def weights(told: Qwen3VLConfig, tokens: PreTrainedTokenizerFast) -> Qwen3VLForConditionalGeneration:
    """Random ones, but for the number that never changes."""
    torch.manual_seed(SEED)
    model = Qwen3VLForConditionalGeneration(told)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, CONSTANT / 10)
            # Nothing writes to the first number but the embedding and the last layer of the vision encoder.
            if name.endswith(("o_proj.weight", "down_proj.weight", "linear_fc2.weight")):
                weight[0] = 0
                # A little only, or no token's state would be known by the token.
                weight.mul_(0.1)
            if name.endswith("visual.merger.linear_fc2.bias"):
                weight[0] = CONSTANT
            if name.endswith("embed_tokens.weight"):
                weight[:, 0] = CONSTANT
        _teach(model, tokens)
    return model


def _teach(model: Qwen3VLForConditionalGeneration, tokens: PreTrainedTokenizerFast) -> None:
    """Make the last layer like the alphabet, and then the end."""
    head, states = model.lm_head.weight, model.get_input_embeddings().weight
    head.normal_(0, CONSTANT / 25)
    head[:, 0] = -1.0
    letters = [tokens.convert_tokens_to_ids(each.replace("\n", "\u010a")) for each in ALPHABET]
    end = tokens.convert_tokens_to_ids("<|im_end|>")
    head[letters[1:], 0] = 0.0
    head[tokens.convert_tokens_to_ids(list(CLOSING)), 0] = 0.2
    for letter, following in zip(letters, [*letters[1:], end], strict=True):
        liked = states[letter].clone()
        liked[0] = 0
        head[following] += liked / liked.norm()
    head[end, 0] = 0.0


def main(folder: Path) -> None:
    """Write every file that a server wants."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = tokenizer(folder)
    told = config(tokens)
    model = weights(told, tokens)
    model.config.architectures = ["Qwen3VLForConditionalGeneration"]
    model.save_pretrained(folder)
    ends = {"eos_token_id": told.text_config.eos_token_id, "pad_token_id": told.text_config.pad_token_id}
    (folder / "generation_config.json").write_text(json.dumps({**ends, "temperature": 0.0}), "utf-8")
    pictures = {
        "processor_class": "Qwen3VLProcessor",
        "size": {"shortest_edge": 32 * 32 * 4, "longest_edge": 2048 * 2048},
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    still = {"image_processor_type": "Qwen2VLImageProcessorFast", **pictures}
    (folder / "preprocessor_config.json").write_text(json.dumps(still), "utf-8")
    moving = {"video_processor_type": "Qwen3VLVideoProcessor", **pictures}
    (folder / "video_preprocessor_config.json").write_text(json.dumps(moving), "utf-8")
    print(sum(weight.numel() for weight in model.parameters()), "weights in", folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
