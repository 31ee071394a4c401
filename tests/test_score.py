"""The table of scores: a model's own rows are replaced, those of others stay."""

import pandas as pd

from benchmarks.score import replaced


def rows(*names: str, judge: str = "training", seed: int = 0, fid: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame(
        [{"dataset": "faces", "judge": judge, "method": name, "seed": seed, "fid": fid} for name in names]
    )


def test_rows_of_the_same_dataset_judge_method_and_seed_are_replaced() -> None:
    table = replaced(rows("roigan", "fmm"), rows("glcic", "fmm", fid=2.0))
    assert dict(zip(table["method"], table["fid"], strict=True)) == {"roigan": 1.0, "glcic": 2.0, "fmm": 2.0}
    assert len(replaced(rows("roigan"), rows("roigan", seed=1))) == 2
    assert len(replaced(rows("roigan"), rows("roigan", judge="efficientnet_lite0"))) == 2
    assert replaced(rows("roigan"), rows("roigan", fid=3.0))["fid"].tolist() == [3.0]
