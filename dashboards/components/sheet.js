export function render({ model }) {
  const box = document.createElement(model.modal ? 'dialog' : 'div');
  box.className = model.modal ? 'drawer' : 'sheet';
  if (model.modal) box.setAttribute('aria-labelledby', 'drawer-title');
  const shut = giveBack(box, () => location.pathname + location.search);
  let busy = false;
  const press = () => Date.now().toString(16).padStart(12, '0') + [...crypto.getRandomValues(new Uint8Array(10))].map(x => x.toString(16).padStart(2, '0')).join('');
  const wait = on => { busy = on; box.setAttribute('aria-busy', String(on)); };
  const go = search => { history.pushState({}, '', location.pathname + search); wait(true); model.send_msg({ go: search }); };
  const here = a => a.origin === location.origin && a.pathname === location.pathname && !a.hash && !a.target;

  // Links are real ones: a new tab, a bookmark and the back button work; a plain click stays on the page.
  box.addEventListener('click', e => {
    if (e.target === box && model.modal) return leave();
    const a = e.target.closest('a[href]');
    if (a) {
      if (e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey || !here(a)) return;
      e.preventDefault(); go(a.search);
      return;
    }
    const b = e.target.closest('button[data-act]');
    if (!b || busy) return;
    const form = b.closest('form');
    if (form && !form.reportValidity()) return;
    const values = form ? Object.fromEntries(new FormData(form)) : {};
    // Told to be off, not made so: what is disabled would drop the focus.
    b.setAttribute('aria-disabled', 'true'); b.textContent = b.dataset.busy || 'Sending …'; wait(true);
    model.send_msg({ act: b.dataset.act, id: press(), values });
  });
  box.addEventListener('submit', e => {
    const form = e.target.closest('form');
    if (!form) return;
    e.preventDefault();
    const acts = form.querySelector('button[data-act]');
    if (acts) return acts.click();              // its values are for the act, not for the address
    const given = [...new FormData(form)].filter(([, value]) => value !== '');
    go(given.length ? '?' + new URLSearchParams(given) : '');
  });
  box.addEventListener('change', e => { if (e.target.dataset.go !== undefined && e.target.value) e.target.form.requestSubmit(); });
  const leave = () => { const out = box.querySelector('a[data-close]'); if (out) go(out.search); };
  box.addEventListener('cancel', e => { e.preventDefault(); leave(); });

  // What had the focus is gone: it stays in this piece of the page instead of at the page's top.
  const stay = () => {
    box.tabIndex = -1; box.style.outline = 'none'; box.focus({ preventScroll: true });
    box.addEventListener('blur', () => box.removeAttribute('tabindex'), { once: true });
  };
  const FIELDS = 'input[data-key], textarea[data-key], select[data-key]';
  const given = el => el.matches('select') ? ([...el.options].find(one => one.defaultSelected) ?? el.options[0])?.value : el.defaultValue;
  const draw = () => {
    const focused = box.getRootNode().activeElement, held = nameOf(focused);
    // News must not wipe what is being typed; what the server itself gives anew counts more.
    const typed = new Map([...box.querySelectorAll(FIELDS)].filter(el => el.value !== given(el)).map(el => [nameOf(el), [given(el), el.value]]));
    const opened = new Set([...box.querySelectorAll('details[open]')].map(nameOf));
    const at = new Map([...box.querySelectorAll('[data-scroll]')].map(el => [el.dataset.scroll, [el.scrollLeft, el.scrollTop]]));
    const before = box.querySelector('[data-record]')?.dataset.record, top = box.scrollTop;
    box.innerHTML = model.markup;               // made and escaped by the server
    for (const el of box.querySelectorAll(FIELDS)) { const was = typed.get(nameOf(el)); if (was && was[0] === given(el)) el.value = was[1]; }
    for (const el of box.querySelectorAll('details[data-key]')) if (opened.has(nameOf(el))) el.open = true;
    for (const el of box.querySelectorAll('[data-scroll]')) { const was = at.get(el.dataset.scroll); if (was) [el.scrollLeft, el.scrollTop] = was; }
    if (model.modal) {
      const shown = box.querySelector('[data-record]')?.dataset.record;
      if (model.markup && !box.open) shut.show();
      if (!model.markup && box.open) { shut.close(); return; }
      if (shown === before) box.scrollTop = top;
    }
    const again = placeIn(box, held);
    if (again) again.focus({ preventScroll: true });
    else if (model.modal && model.markup) box.querySelector('[data-first]')?.focus({ preventScroll: true });
    else if (held) stay();
  };
  model.on('markup', draw);
  model.on('url', () => { if (model.url) history.replaceState({}, '', model.url); });
  model.on('answered', () => { wait(false); for (const b of box.querySelectorAll('button[data-act][aria-disabled=true]')) { b.removeAttribute('aria-disabled'); b.textContent = b.dataset.label || b.textContent; } });
  if (model.follows) {
    const back = () => { wait(true); model.send_msg({ go: location.search }); };
    addEventListener('popstate', back);
    model.on('remove', () => removeEventListener('popstate', back));
  }
  setTimeout(draw);                             // a dialog opens once it is in the page
  return box;
}
