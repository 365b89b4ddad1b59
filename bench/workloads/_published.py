"""The text encoders as they were published, and in tiny shapes."""

from bench.workloads._encoders import Architecture
from bench.workloads._text_modules import Embedding

_TINY_BERT = {
    "vocab_size": 128,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
}

BERT = Architecture(
    "BertConfig",
    "BertModel",
    "google-bert/bert-base-uncased",
    _TINY_BERT,
    {"add_pooling_layer": False},
)

DISTILBERT = Architecture(
    "DistilBertConfig",
    "DistilBertModel",
    "distilbert/distilbert-base-uncased",
    {
        "vocab_size": 128,
        "dim": 32,
        "n_layers": 2,
        "n_heads": 4,
        "hidden_dim": 64,
        "max_position_embeddings": 32,
    },
)

MINILM = Architecture(
    "BertConfig",
    "BertModel",
    "sentence-transformers/all-MiniLM-L6-v2",
    {**_TINY_BERT, "num_hidden_layers": 3},
    {"add_pooling_layer": False},
    Embedding,
)
"""Its published shape is in its checkpoint."""
