// @ts-check
// <picture-crop for="file" form="…"> with a <canvas tabindex="0">, a range for the zoom and a hidden field: the square of a
// picture that is kept, shown as soon as a file is chosen. It is dragged, or moved with the arrow keys; plus, minus and the
// wheel zoom. The field says "x,y,side" in pixels of the picture as it is shown. Without this module the server keeps the middle.
customElements.define('picture-crop', class extends HTMLElement {
  connectedCallback() {
    const file = document.getElementById(this.getAttribute('for')), canvas = this.querySelector('canvas');
    const zoom = this.querySelector('input[type=range]'), kept = this.querySelector('input[type=hidden]');
    let picture = null, x = 0, y = 0; // the middle of what is kept

    const side = () => Math.min(picture.width, picture.height) / zoom.valueAsNumber;
    const draw = () => {
      const s = side();
      x = Math.min(Math.max(x, s / 2), picture.width - s / 2);
      y = Math.min(Math.max(y, s / 2), picture.height - s / 2);
      const g = canvas.getContext('2d');
      g.clearRect(0, 0, canvas.width, canvas.height);
      g.drawImage(picture, x - s / 2, y - s / 2, s, s, 0, 0, canvas.width, canvas.height);
      kept.value = [x - s / 2, y - s / 2, s].map(n => Math.max(Math.floor(n), 0)).join();
    };
    const move = (dx, dy) => { x += dx * side(); y += dy * side(); draw(); }; // in parts of what is kept
    const closer = by => { zoom.valueAsNumber += by; draw(); };

    file.addEventListener('change', async () => {
      const chosen = file.files[0];
      kept.value = '';
      const read = chosen && await createImageBitmap(chosen).catch(() => null);
      if (chosen !== file.files[0]) { read?.close(); return; } // another one was chosen meanwhile
      picture?.close();
      picture = read || null;
      this.hidden = !picture; // what the browser cannot read, the server may, or it says why not
      if (!picture) return;
      zoom.value = '1';
      x = picture.width / 2; y = picture.height / 2;
      draw();
    });
    zoom.addEventListener('input', draw);
    canvas.addEventListener('keydown', e => {
      const to = { ArrowLeft: [-.05, 0], ArrowRight: [.05, 0], ArrowUp: [0, -.05], ArrowDown: [0, .05] }[e.key];
      const by = { '+': .1, '=': .1, '-': -.1 }[e.key];
      if (!picture || e.ctrlKey || e.metaKey || !to && !by) return;
      e.preventDefault();
      to ? move(to[0], to[1]) : closer(by);
    });
    canvas.addEventListener('wheel', e => { if (picture) { e.preventDefault(); closer(e.deltaY < 0 ? .1 : -.1); } }, { passive: false });
    canvas.addEventListener('pointerdown', e => { if (picture) canvas.setPointerCapture(e.pointerId); });
    canvas.addEventListener('pointermove', e => {
      if (picture && canvas.hasPointerCapture(e.pointerId)) move(-e.movementX / canvas.clientWidth, -e.movementY / canvas.clientHeight);
    });
  }
});
