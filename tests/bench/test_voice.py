from bench.voice import Outcome, report_of

NAN = float("nan")


def row(wer: float, **more: float) -> dict[str, float]:
    return {"similarity": 0.7, "wer": wer, "wer_all": 2.0, "dnsmos_ovrl_drop": 0.1} | more


def test_only_pairs_with_words_count_and_their_number_is_told() -> None:
    sung = [row(NAN), row(0.1, wer_all=0.1), row(0.3, wer_all=0.3), row(NAN), row(NAN)]
    figures = report_of({"native": Outcome([row(0.05)], sung, 2.0, 10.0)}).figures
    assert (figures["sung_wer_median"].value, figures["sung_wer_median"].n) == (0.2, 2)
    assert (figures["sung_wer_all_median"].value, figures["sung_wer_all_median"].n) == (2.0, 5)
    assert (figures["wer_median"].value, figures["wer_median"].goal) == (0.05, "<= 0.16")
    assert figures["sung_wer_median"].goal == "<= 0.20"
    assert figures["cpu_per_stream"].value == 0.2
    assert figures["algorithmic_delay_ms"].value == 30
    assert "dnsmos_ovrl_drop" in figures
    assert "sung_dnsmos_ovrl_drop" not in figures


def test_nothing_that_can_be_counted_is_no_figure_and_no_failure() -> None:
    report = report_of({"transposition": Outcome([], [row(NAN), row(NAN)], 1.0, 10.0)})
    assert report.figures["transposition_sung_wer_median"].value is None
    assert report.figures["transposition_sung_wer_median"].n == 0
    assert report.figures["transposition_sung_similarity_median"].n == 2
    assert "not measured" in report.show()
