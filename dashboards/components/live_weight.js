export function render({ model }) {
  const wrap = document.createElement('section'), css = document.createElement('style');
  css.textContent = `
    section { font-family: var(--bw-font); color: var(--bw-text); background: var(--bw-surface); border: 2px solid var(--bw-line); border-left: 12px solid var(--tone);
      border-radius: 10px; padding: 14px 24px 18px; --tone: var(--bw-unknown); }
    section[data-tone=ok] { --tone: var(--bw-ok); } section[data-tone=near] { --tone: var(--bw-near); } section[data-tone=bad] { --tone: var(--bw-bad); } section[data-tone=info] { --tone: var(--bw-info); }
    section[data-tone=unknown] { background-image: repeating-linear-gradient(45deg, transparent 0 14px, var(--bw-line) 14px 16px); }
    .top { display: grid; gap: 6px; }
    .digits { font-size: 96px; line-height: 1.05; font-weight: 650; font-variant-numeric: tabular-nums; white-space: nowrap; margin: 0; }
    .digits span { font-size: 40px; font-weight: 500; color: var(--bw-muted); margin-left: 12px; }
    .side { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: 0 24px; }
    .state { display: flex; align-items: center; gap: 12px; font-size: 28px; font-weight: 700; color: var(--tone); margin: 0; }
    .state svg { width: 30px; height: 30px; flex: none; }
    .hint { font-size: 20px; margin: 0; font-variant-numeric: tabular-nums; color: var(--bw-text); }
    .bar { margin-top: 14px; } .bar svg { display: block; width: 100%; height: 64px; overflow: visible; }
    .labels { position: relative; height: 46px; font-size: 17px; font-variant-numeric: tabular-nums; }
    .labels span { position: absolute; transform: translateX(-50%); text-align: center; white-space: nowrap; line-height: 1.25; }
    .labels b { display: block; font-weight: 400; font-size: 15px; color: var(--bw-muted); }`;
  const SHAPE = {
    ok: '<path d="M2 8.5 6 12.5 14 3.5" fill="none" stroke="currentColor" stroke-width="2.6"/>',
    near: '<path d="M8 2 15 14H1Z" fill="currentColor"/>',
    bad: '<path d="M3 3 13 13M13 3 3 13" fill="none" stroke="currentColor" stroke-width="3"/>',
    info: '<path d="M8 14V3M3 8 8 3l5 5" fill="none" stroke="currentColor" stroke-width="2.4"/>',
    unknown: '<circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="3 2.2"/>',
  };
  const make = (tag, cls, parent, testid) => { const e = document.createElement(tag); if (cls) e.className = cls; if (testid) e.setAttribute('data-testid', testid); parent.append(e); return e; };
  wrap.setAttribute('role', 'group'); wrap.setAttribute('aria-label', model.label); wrap.setAttribute('data-testid', 'live-weight');
  wrap.append(css);
  const top = make('div', 'top', wrap), digits = make('p', 'digits', top, 'net');
  digits.setAttribute('aria-live', 'off');
  const number = document.createTextNode(''), unit = document.createElement('span'); digits.append(number, unit);
  const side = make('div', 'side', top), state = make('p', 'state', side, 'weight-state'), hint = make('p', 'hint', side, 'weight-hint');
  state.setAttribute('role', 'status');
  const sign = document.createElement('span'); sign.style.display = 'contents'; const word = document.createElement('span'); state.append(sign, word);
  const bar = make('div', 'bar', wrap), labels = make('div', 'labels', bar);
  const NS = 'http://www.w3.org/2000/svg', svg = document.createElementNS(NS, 'svg');
  svg.setAttribute('viewBox', '0 0 1000 64'); svg.setAttribute('preserveAspectRatio', 'none'); svg.setAttribute('aria-hidden', 'true');
  bar.prepend(svg);
  const shape = (name, attrs) => { const e = document.createElementNS(NS, name); for (const k in attrs) e.setAttribute(k, attrs[k]); svg.append(e); return e; };
  // The band takes the middle 40 %: limits at 300 and 700, so that a hair of weight is seen.
  shape('rect', { x: 0, y: 24, width: 1000, height: 28, fill: 'var(--bw-raised)', stroke: 'var(--bw-control)', 'vector-effect': 'non-scaling-stroke' });
  const band = shape('rect', { x: 300, y: 24, width: 400, height: 28, fill: 'var(--bw-ok)', 'fill-opacity': 0.28, stroke: 'var(--bw-ok)', 'stroke-width': 2, 'vector-effect': 'non-scaling-stroke' });
  const aim = shape('line', { x1: 500, x2: 500, y1: 16, y2: 60, stroke: 'var(--bw-text)', 'stroke-width': 2, 'stroke-dasharray': '5 4', 'vector-effect': 'non-scaling-stroke' });
  const needle = shape('line', { x1: 0, x2: 0, y1: 2, y2: 62, stroke: 'var(--tone)', 'stroke-width': 8, 'stroke-linecap': 'round', 'vector-effect': 'non-scaling-stroke' });
  const tag = (name, text, at) => { const e = document.createElement('span'), b = document.createElement('b'); b.textContent = name; e.append(b, text); e.style.left = at + '%'; labels.append(e); };
  const place = x => {
    const low = Number(model.low), high = Number(model.high);
    return high > low ? Math.max(8, Math.min(992, 300 + 400 * (x - low) / (high - low))) : 500;
  };
  const limits = () => {
    const has = model.low !== '' && model.high !== '';
    bar.hidden = !has; labels.replaceChildren();
    if (!has) return;
    const at = place(Number(model.target)); aim.setAttribute('x1', at); aim.setAttribute('x2', at);
    tag('min', model.low, 30); tag('target', model.target, at / 10); tag('max', model.high, 70);
    draw();
  };
  let timer = 0;
  const draw = () => {
    const { net, state: name, tone, word: text, hint: more, stable } = model.reading;
    number.data = net || '––––'; unit.textContent = model.unit;
    wrap.dataset.state = name; wrap.dataset.tone = tone; wrap.dataset.stable = String(!!stable);
    if (word.textContent !== text) { sign.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true">${SHAPE[tone] || SHAPE.unknown}</svg>`; word.textContent = text; }
    hint.textContent = more;
    const x = net ? place(Number(net)) : 8;
    needle.setAttribute('x1', x); needle.setAttribute('x2', x); needle.style.visibility = net ? 'visible' : 'hidden';
    wait();
  };
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {               // no news is not the old news: say so
      wrap.dataset.state = 'stale'; wrap.dataset.tone = 'unknown'; wrap.dataset.stable = 'false';
      sign.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true">${SHAPE.unknown}</svg>`;
      word.textContent = 'NO NEW READING'; hint.textContent = 'Nothing from the scale for some seconds';
    }, model.stale_ms);
  };
  limits(); draw();
  model.on('reading', draw); model.on('beat', () => { if (wrap.dataset.state === 'stale') draw(); else wait(); });
  for (const name of ['low', 'target', 'high', 'unit']) model.on(name, limits);
  model.on('remove', () => clearTimeout(timer));
  return wrap;
}
