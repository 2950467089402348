"""A set of clips is told from another by whatever decides a training."""

from dataclasses import replace
from pathlib import Path

from training.corpora import load_corpora
from training.corpora.clips_hash import clips_hash


def test_whatever_decides_a_training_changes_the_hash(
    clip_corpora: Path, tmp_path: Path
) -> None:
    clips = load_corpora(clip_corpora, ["clips"])
    first, *rest = clips
    longer = tmp_path / first.path.name
    longer.write_bytes(first.path.read_bytes() + b"more")
    sets = [
        (clips,),
        (rest,),
        ([*rest, first],),
        ([replace(first, speaker="another"), *rest],),
        ([replace(first, emotion="calm"), *rest],),
        ([replace(first, called="another"), *rest],),
        ([replace(first, path=longer), *rest],),
        ([first], rest),
    ]
    assert len({clips_hash(*groups) for groups in sets}) == len(sets)
    # Elsewhere the same files are the same clips.
    longer.write_bytes(first.path.read_bytes())
    assert clips_hash([replace(first, path=longer), *rest]) == clips_hash(clips)
