/**
 * Canvases that are as sharp as the screen they are on.
 * @module
 */

/**
 * Give a canvas as many pixels as it covers on the screen; drawing goes on in CSS pixels. What was drawn is gone.
 * @param {CanvasRenderingContext2D} context of a canvas in the page
 */
export function matchScreen(context) {
  const { canvas } = context;
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
}
