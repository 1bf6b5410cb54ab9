// The page around the pieces: clock, colour scheme, lost connection. Loaded before Bokeh.
(() => {
  const root = document.documentElement;
  const scheme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  // Over TLS a cookie of this host alone: no neighbor's page can set it.
  const host = location.protocol === 'https:' ? '__Host-' : '', secure = host ? '; secure' : '';
  const cookie = name => (document.cookie.match(new RegExp('(?:^|; )' + host + name + '=([^;]*)')) || [])[1];
  const keep = (name, value, age) => { document.cookie = `${host}${name}=${value}; path=/; samesite=strict; max-age=${age}${secure}`; };
  keep('mes_scheme', scheme, 31536000);
  // A page drawn on the server must know the scheme; on the very first visit it could not.
  if (root.dataset.auto === 'yes' && root.dataset.theme !== scheme && cookie('mes_scheme') === scheme) {
    location.reload();
  }

  let opened = false, lost = false, last = null, leaving = false;
  addEventListener('beforeunload', () => { leaving = true; });
  addEventListener('pagehide', () => { leaving = true; });
  const Native = window.WebSocket;
  window.WebSocket = class extends Native {
    constructor(...args) {
      super(...args);
      this.addEventListener('open', () => { opened = true; });
      this.addEventListener('message', () => { last = Date.now(); });
      this.addEventListener('close', () => { if (!leaving) setTimeout(onLost, 400); });
    }
  };

  // A menu of choices opens by the keys that people know; the widgets' library opens it by a click alone.
  addEventListener('keydown', event => {
    const at = event.composedPath()[0], opens = ['Enter', ' ', 'ArrowDown', 'ArrowUp'].includes(event.key);
    if (!opens || !at.matches?.('.MuiSelect-select[aria-expanded=false]')) return;
    event.preventDefault();
    at.click();
  }, true);

  const clockText = () => {
    const at = new Date(Date.now() + skew);
    const parts = new Intl.DateTimeFormat('sv-SE', { timeZone: root.dataset.zone, dateStyle: 'short', timeStyle: 'medium' }).format(at);
    return parts;
  };
  const skew = Number(root.dataset.now || Date.now()) - Date.now();
  const tick = () => { const el = document.getElementById('bw-clock'); if (el && root.dataset.zone) el.textContent = clockText(); };
  setInterval(tick, 1000);

  function onLost() {
    if (lost || leaving) return;
    lost = true;
    const bar = document.getElementById('bw-lost');
    const since = new Intl.DateTimeFormat('sv-SE', { timeZone: root.dataset.zone, timeStyle: 'medium' }).format(new Date((last || Date.now()) + skew));
    if (bar) { bar.textContent = `Connection lost. Last data at ${since}. Nothing entered now is recorded. Waiting for the plant server …`; bar.hidden = false; }
    retry(Date.now());
  }
  // The server ends a session that nobody uses; a page that cannot ask forgets as late as that.
  const FORGET_MS = 30 * 60 * 1000;
  function forget() {
    document.querySelectorAll('body > :not(#bw-lost):not(.bw-top)').forEach(element => element.remove());
    const bar = document.getElementById('bw-lost');
    if (bar) bar.textContent = 'Connection lost for 30 minutes. What was shown here is gone. Waiting for the plant server …';
  }
  async function retry(since) {
    if (Date.now() - since > FORGET_MS) forget();
    try {
      const answer = await fetch('/api/session', { cache: 'no-store', credentials: 'same-origin' });
      if (answer.status === 401 || answer.ok) {
        leaving = true;
        if (answer.status === 401) location.href = '/login?next=' + encodeURIComponent(location.pathname + location.search);
        else location.reload();
        return;
      }
    } catch { /* still away */ }
    setTimeout(() => retry(since), 2000);
  }

  document.addEventListener('DOMContentLoaded', () => {
    tick();
    const toggle = document.getElementById('bw-theme');
    // A plain page follows the browser without the server knowing: what it shows is in its colours.
    const shown = getComputedStyle(root).getPropertyValue('--bw-scheme').trim();
    if (shown) root.dataset.theme = shown;
    if (toggle) toggle.textContent = root.dataset.theme === 'dark' ? 'Light' : 'Dark';
    if (toggle) toggle.addEventListener('click', () => {
      keep('mes_theme', root.dataset.theme === 'dark' ? 'light' : 'dark', 31536000);
      const at = new URL(location.href); at.searchParams.delete('theme'); location.replace(at);
    });
    // A badge reader ends with Enter: go on to the password instead of sending half a form.
    const user = document.getElementById('user'), secret = document.getElementById('password');
    if (user && secret) user.addEventListener('keydown', e => { if (e.key === 'Enter' && !secret.value) { e.preventDefault(); secret.focus(); } });
    const waiting = document.getElementById('bw-wait');
    if (waiting) {
      const done = () => { const b = window.Bokeh; return b && b.documents && b.documents.length && b.documents.every(d => d.is_idle); };
      const look = setInterval(() => { if (done()) { clearInterval(look); waiting.remove(); } }, 100);
    }
  });
})();
