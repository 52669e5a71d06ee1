"use strict";
// Draws the explorers from the grids in the page: a slider picks positions in them, nothing is computed here.
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  function unpacked(packed) {
    const bytes = Uint8Array.from(atob(packed.data), (letter) => letter.charCodeAt(0));
    return { shape: packed.shape, values: new Float32Array(bytes.buffer) };
  }

  class Explorer {
    constructor(section) {
      this.section = section;
      this.grid = JSON.parse(section.querySelector("script").textContent);
      this.inputs = [...section.querySelectorAll("input")];
      for (const panel of this.grid.panels) {
        for (const curve of panel.curves) {
          curve.values = unpacked(curve.values);
          curve.rests = curve.rests && unpacked(curve.rests);
        }
      }
      section.querySelector(".controls").hidden = false;
      section.querySelector(".without").hidden = true;
      this.draw();
      for (const input of this.inputs) input.addEventListener("input", () => this.update());
    }

    /** The place of the sliders in a flat grid whose axes are theirs. */
    index(sliders) {
      return sliders.reduce((flat, name) => {
        const place = this.grid.sliders.findIndex((slider) => slider.name === name);
        return flat * this.grid.sliders[place].shown.length + Number(this.inputs[place].value);
      }, 0);
    }

    /** The last axis of a grid at the sliders' positions. */
    row(sliders, { shape, values }) {
      const length = shape[shape.length - 1];
      const start = this.index(sliders) * length;
      return values.subarray(start, start + length);
    }

    data(panel) {
      return [panel.x, ...panel.curves.map((curve) => [...this.row(curve.sliders, curve.values)])];
    }

    draw() {
      for (const old of this.plots ?? []) old.destroy();
      const places = [...this.section.querySelectorAll(".plot")];
      this.plots = this.grid.panels.map((panel, i) => new uPlot(this.options(panel, places[i]), this.data(panel), places[i]));
      this.section.plots = this.plots;
      this.update();
    }

    options(panel, place) {
      const axis = { stroke: colour("ink"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 } };
      const words = new Map(panel.ticks);
      return {
        width: place.clientWidth,
        height: Math.round(Math.min(300, Math.max(200, place.clientWidth * 0.7))),
        legend: { show: false },
        pxAlign: 0,
        cursor: { show: false },
        scales: {
          x: { time: false, range: [panel.x[0], panel.x[panel.x.length - 1]] },
          y: { range: (plot, low, high) => (panel.low === null ? padded(low, high) : [panel.low, panel.high]) },
        },
        axes: [
          { ...axis, label: panel.xLabel, labelSize: 22, size: 34, splits: () => [...words.keys()], values: (plot, at) => at.map((x) => words.get(x)) },
          { ...axis, size: 52 },
        ],
        series: [{}, ...panel.curves.map((curve) => ({ label: curve.label, stroke: colour(curve.tone), width: 2.5, points: { show: false } }))],
        hooks: { draw: [(plot) => this.marks(plot, panel)] },
      };
    }

    /** The line at zero, the place that is read out, and where curves come to rest. */
    marks(plot, panel) {
      const { ctx, bbox } = plot;
      const line = (x0, y0, x1, y1, stroke) => {
        ctx.beginPath();
        ctx.strokeStyle = stroke;
        ctx.moveTo(x0, y0);
        ctx.lineTo(x1, y1);
        ctx.stroke();
      };
      ctx.save();
      ctx.lineWidth = devicePixelRatio;
      const zero = plot.valToPos(0, "y", true);
      line(bbox.left, zero, bbox.left + bbox.width, zero, colour("ink"));
      if (this.grid.at) {
        const at = plot.valToPos(panel.x[this.index([this.grid.at])], "x", true);
        ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
        line(at, bbox.top, at, bbox.top + bbox.height, colour("quiet"));
      }
      for (const curve of panel.curves.filter((each) => each.rests)) {
        for (const share of this.row(curve.sliders, curve.rests)) {
          const x = Math.log(share / (1 - share)); // the axis is in log-odds
          if (!(x >= panel.x[0] && x <= panel.x[panel.x.length - 1])) continue;
          ctx.beginPath();
          ctx.fillStyle = colour(curve.tone);
          ctx.arc(plot.valToPos(x, "x", true), zero, 5 * devicePixelRatio, 0, 2 * Math.PI);
          ctx.fill();
        }
      }
      ctx.restore();
    }

    update() {
      this.inputs.forEach((input, i) => {
        const shown = this.grid.sliders[i].shown[input.value];
        input.setAttribute("aria-valuetext", shown);
        input.closest("label").querySelector("output").textContent = shown;
      });
      this.grid.panels.forEach((panel, i) => this.plots[i].setData(this.data(panel)));
      const said = [...this.section.querySelectorAll("[data-readout]")];
      this.grid.readouts.forEach((readout, i) => (said[i].textContent = readout.text[this.index(readout.sliders)]));
      if (!this.grid.at) return;
      for (const cell of this.section.querySelectorAll("[data-curve]")) {
        const { panel, curve } = cell.dataset;
        cell.textContent = this.plots[panel].data[Number(curve) + 1][this.index([this.grid.at])].toPrecision(3);
      }
    }
  }

  function padded(low, high) {
    const ends = [Math.min(0, low), Math.max(0, high)];
    const room = 0.08 * (ends[1] - ends[0] || 1);
    return [ends[0] - room, ends[1] + room];
  }

  const explorers = [...document.querySelectorAll(".explorer")].map((section) => new Explorer(section));
  const again = () => explorers.forEach((explorer) => explorer.draw());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) again(); // a phone's bars come and go without a change of width
    width = innerWidth;
  });
})();
