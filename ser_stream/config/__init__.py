"""All settings of ser-stream: built in, in the model, a file, the environment, flags.

keys          which there are
listen        `ListenConfig`, what the daemon takes; for_model: with a model's values
serve         its part for `ser-stream serve`
toml_file     the file; toml_lines: in which line a key stands; edit: changes one key
environment   `SER_STREAM_*`
layers        one over the other: `resolve` -> `Settings`
"""

from ser_stream.config.keys import KEYS, parse_assignment
from ser_stream.config.layers import Change, Setting, Settings, build_config, resolve
from ser_stream.config.listen import ListenConfig
from ser_stream.config.toml_file import SYSTEM_FILE, chosen_path, default_path

__all__ = [
    "KEYS",
    "SYSTEM_FILE",
    "Change",
    "ListenConfig",
    "Setting",
    "Settings",
    "build_config",
    "chosen_path",
    "default_path",
    "parse_assignment",
    "resolve",
]
