export function render({ model }) {
  const wrap = document.createElement('div'), css = document.createElement('style');
  css.textContent = `
    .box { font-family: var(--bw-font); }
    .bar { display: flex; align-items: center; gap: 18px; background: var(--bw-alarm); color: var(--bw-on-alarm); border-radius: 8px; padding: 14px 20px; margin-bottom: 14px; font-size: 20px; line-height: 1.35; }
    .bar svg { width: 34px; height: 34px; flex: none; } .bar strong { font-size: 22px; white-space: nowrap; } .bar span { flex: 1; overflow-wrap: anywhere; }
    button { min-height: 72px; min-width: 160px; padding: 0 26px; font: inherit; font-size: 22px; font-weight: 700; border: 0; border-radius: 8px; background: var(--bw-on-alarm); color: var(--bw-alarm); cursor: pointer; }
    button:focus-visible { outline: 4px solid var(--bw-on-alarm); outline-offset: 4px; }
    dialog { border: 0; padding: 0; margin: 0; width: 100vw; height: 100vh; max-width: none; max-height: none; background: var(--bw-alarm); color: var(--bw-on-alarm); font-family: var(--bw-font); }
    dialog[open] { display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 28px; text-align: center; }
    dialog svg { width: 130px; height: 130px; } dialog h2:focus { outline: 0; } dialog h2 { font-size: 56px; margin: 0; letter-spacing: .02em; } dialog p { font-size: 30px; line-height: 1.4; max-width: 30em; margin: 0 24px; overflow-wrap: anywhere; }
    dialog button { min-height: 96px; min-width: 320px; font-size: 30px; }`;
  const SIGN = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M5 1h6l4 4v6l-4 4H5l-4-4V5Z" fill="none" stroke="currentColor" stroke-width="1.4"/><path d="M5 5l6 6M11 5l-6 6" stroke="currentColor" stroke-width="2"/></svg>';
  const live = document.createElement('div'); live.className = 'box'; live.setAttribute('role', 'alert');
  const dialog = document.createElement('dialog'); dialog.setAttribute('role', 'alertdialog'); dialog.setAttribute('data-testid', 'refusal-stop');
  dialog.setAttribute('aria-labelledby', 'stop-word'); dialog.setAttribute('aria-describedby', 'stop-text'); dialog.setAttribute('closedby', 'none');
  // A reader types its next code and Enter into whatever has the focus: that must not press the
  // button, so the heading has the focus, and an Enter right after other keys does nothing.
  const shut = giveBack(dialog);
  let typed = 0;
  const keep = e => {
    e.stopPropagation();
    if (e.key === 'Escape' || (e.key === 'Enter' && performance.now() - typed < 150)) e.preventDefault();
    if (e.key.length === 1) typed = performance.now();
  };
  dialog.addEventListener('keydown', keep); dialog.addEventListener('cancel', e => e.preventDefault());
  let sound = null;
  const beep = () => {
    try {
      sound = sound || new AudioContext();
      if (sound.state === 'suspended') sound.resume();
      [0, 0.22].forEach(at => {
        const tone = sound.createOscillator(), loud = sound.createGain();
        tone.type = 'square'; tone.frequency.value = 330; loud.gain.value = 0.12;
        tone.connect(loud).connect(sound.destination); tone.start(sound.currentTime + at); tone.stop(sound.currentTime + at + 0.16);
      });
    } catch { /* a kiosk without sound still shows word, sign and colour */ }
  };
  const text = (tag, value, id) => { const e = document.createElement(tag); e.textContent = value; if (id) e.id = id; return e; };
  const button = () => { const b = text('button', 'Understood'); b.type = 'button'; b.addEventListener('click', () => {
    // Closed here and now, not after an answer: the next scan may come at once and must find its field.
    if (dialog.open) shut.close();
    live.replaceChildren();
    model.send_msg({ n: model.refusal.n });
  }); return b; };
  const sign = () => { const e = document.createElement('span'); e.style.display = 'contents'; e.innerHTML = SIGN; return e; };
  const draw = loud => {
    const { sentence, full, word, n } = model.refusal;
    live.replaceChildren(); dialog.replaceChildren(); if (dialog.open) shut.close();
    if (!sentence) return;
    if (full) {
      const head = text('h2', word, 'stop-word'); head.tabIndex = -1;
      dialog.append(sign(), head, text('p', sentence, 'stop-text'), button());
      const open = () => { if (dialog.isConnected && !dialog.open) { shut.show(); head.focus(); } };
      if (dialog.isConnected) open(); else setTimeout(open, 0);
    } else {
      const bar = document.createElement('div'); bar.className = 'bar'; bar.setAttribute('data-testid', 'refusal'); bar.dataset.n = n;
      bar.append(sign(), text('strong', word), text('span', sentence), button()); live.append(bar);
    }
    if (loud && model.sound) beep();
  };
  draw(false);
  model.on('refusal', () => draw(true));
  wrap.append(css, live, dialog);
  return wrap;
}
