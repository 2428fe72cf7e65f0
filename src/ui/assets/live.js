// Keeps a page up to date: replaces parts as they change, and shows a message when it cannot.
// The page works without it.
'use strict';

(() => {
  const address = document.body.dataset.updates;
  const connection = document.getElementById('connection');
  const told = document.getElementById('told');
  const note = document.getElementById('live-note');
  // After a form, move the focus to its message, for keyboard users.
  if (location.hash === '#said') document.getElementById('said')?.focus({ preventScroll: true });
  // Do not show the message again when the page is reloaded or its address shared.
  const here = new URL(location.href);
  if (here.searchParams.has('said')) {
    here.searchParams.delete('said');
    if (here.hash === '#said') here.hash = '';
    history.replaceState(history.state, '', here);
  }
  if (!address || !window.EventSource) return;

  const AGAIN_MS = 3000;
  // Do not report a short interruption, like a restart of the service.
  const SAY_MS = 4000;
  let source = null;
  let saying = null;
  let ended = false;

  const key = (node) =>
    node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || null : null;

  const alike = (old, fresh) =>
    old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && key(old) === key(fresh);

  // Keep what the user has changed on the page: an open <details>, a filled field.
  const theirs = (old, name) =>
    (name === 'open' && old.nodeName === 'DETAILS') || (name === 'value' && old.nodeName === 'INPUT' && old.type !== 'hidden');

  const attributes = (old, fresh) => {
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !theirs(old, name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && !theirs(old, name)) old.setAttribute(name, value);
    }
  };

  // Changes `old` into `fresh` where they differ. Nodes that remain are not moved, so that they keep focus
  // and scroll; nodes with a key are identified by it.
  const morph = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    attributes(old, fresh);
    const keys = new Set([...fresh.childNodes].map(key).filter(Boolean));
    let place = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      while (place && key(place) && !keys.has(key(place))) {
        const gone = place;
        place = place.nextSibling;
        gone.remove();
      }
      if (place && alike(place, child)) {
        morph(place, child);
        place = place.nextSibling;
        continue;
      }
      const known = key(child) && [...old.children].find((one) => alike(one, child));
      if (known) {
        morph(known, child);
        old.insertBefore(known, place);
      } else {
        old.insertBefore(document.importNode(child, true), place);
      }
    }
    while (place) {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    }
  };

  const put = ({ id, html }) => {
    const old = document.getElementById(id);
    const fresh = new DOMParser().parseFromString(html, 'text/html').body.firstElementChild;
    if (!old || !fresh) return;
    const held = old.contains(document.activeElement);
    morph(old, fresh);
    // The focused element is gone (a finished row): keep the focus in its part.
    if (held && !old.contains(document.activeElement)) {
      const title = old.querySelector('h1, h2') || old;
      title.tabIndex = -1;
      title.focus({ preventScroll: true });
    }
  };

  const say = (words, link) => {
    if (connection.textContent !== words + (link?.textContent ?? '')) connection.replaceChildren(words, link ?? '');
    document.body.classList.toggle('stale', words !== '');
  };

  const hush = () => {
    clearTimeout(saying);
    saying = null;
  };

  const lost = () => {
    saying ??= setTimeout(() => {
      say('Connection lost: this page is not up to date. Trying again…');
    }, SAY_MS);
  };

  const found = () => {
    hush();
    say('');
    note.textContent = ' Updates are live.';
  };

  const loggedOut = () => {
    ended = true;
    hush();
    const link = document.createElement('a');
    link.href = `/login?${new URLSearchParams({ next: location.pathname + location.search })}`;
    link.textContent = 'Log in again';
    say('You are logged out: this page is not up to date. ', link);
  };

  // A stream does not expose why it failed; a plain request to the same address does.
  const ask = async () => {
    const leave = new AbortController();
    const limit = setTimeout(() => leave.abort(), AGAIN_MS);
    try {
      const answer = await fetch(address, { redirect: 'manual', cache: 'no-store', signal: leave.signal });
      // The stream may have come back in the meantime.
      if (source || ended) return;
      if (answer.status === 401 || answer.type === 'opaqueredirect') return loggedOut();
      if (answer.status !== 503) return lost();
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const words = page.querySelector('main p')?.textContent;
      if (source || ended) return;
      if (!words) return lost();
      hush();
      say(`This page is not up to date. ${words}`);
    } catch {
      if (!source && !ended) lost();
    } finally {
      clearTimeout(limit);
      leave.abort();
    }
  };

  const close = () => {
    source?.close();
    source = null;
  };

  const open = () => {
    if (source || ended) return;
    source = new EventSource(address);
    source.addEventListener('open', found);
    source.addEventListener('part', (event) => put(JSON.parse(event.data)));
    source.addEventListener('title', (event) => {
      const { title } = JSON.parse(event.data);
      const before = document.title;
      document.title = `${title} · kimai-sync`;
      if (document.title !== before) told.textContent = title;
    });
    source.addEventListener('end', () => {
      ended = true;
      note.textContent = ' It does not change any more.';
      close();
    });
    source.addEventListener('error', async () => {
      // After a response that is not a stream, a browser does not reconnect automatically.
      close();
      await ask();
      setTimeout(() => {
        if (!document.hidden) open();
      }, AGAIN_MS);
    });
  };

  // Browsers open few connections to one host: pages in the background close theirs.
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  addEventListener('pagehide', close);
  addEventListener('pageshow', () => {
    if (!document.hidden) open();
  });
})();
