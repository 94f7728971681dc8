"""The audio thread, faster than real time."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("sample", "clips"),
    [
        (1, True),
        (32767 / 32768, True),
        (32766 / 32768, False),
        (-1, True),
        (-1.5, True),
        (-32767 / 32768, False),
    ],
)
def test_samples_at_full_scale_are_counted(modules: Page, sample: float, clips: bool) -> None:
    clipped = modules.evaluate(
        """async (sample) => {
          const context = new OfflineAudioContext(1, 9600, 48000);
          await context.audioWorklet.addModule('/client/js/worklet.js');
          const node = new AudioWorkletNode(context, 'autovoice', { processorOptions: { frame: 480 } });
          const buffer = new AudioBuffer({ length: 9600, sampleRate: 48000 });
          buffer.getChannelData(0).fill(sample, 100, 105);
          const source = new AudioBufferSourceNode(context, { buffer });
          source.connect(node).connect(context.destination);
          source.start();
          const reported = new Promise((resolve) => (node.port.onmessage = ({ data }) => resolve(data)));
          await context.startRendering();
          return (await reported).clipped;
        }""",
        sample,
    )
    assert clipped == (5 if clips else 0)
