/* Sound, time line and transcript move together. Everything works from data-at (and data-end) on turns, quotes, marks and steps. */
(function () {
  var sound = document.getElementById("sound"), bar = document.querySelector(".player"), drawing = document.querySelector(".timeline svg");
  if (!sound || !bar) return;
  var controls = bar.querySelector(".controls"), play = bar.querySelector(".play"),
    position = bar.querySelector(".now-at"), follow = bar.querySelector(".follow");
  var words = bar.querySelector(".now-words"), turns = Array.from(document.querySelectorAll(".talk li[data-at]"));
  var stopAt = null, current = null;
  var SVG = "http://www.w3.org/2000/svg", lanes = drawing ? Array.from(drawing.querySelectorAll("rect.lane")) : [], head = null, length = 1;

  function number(element, name) { return parseFloat(element.getAttribute(name)); }
  function clock(seconds) {
    var whole = Math.floor(seconds), hours = Math.floor(whole / 3600),
      minutes = Math.floor(whole / 60) % 60, rest = String(whole % 60).padStart(2, "0");
    return hours ? hours + ":" + String(minutes).padStart(2, "0") + ":" + rest : minutes + ":" + rest;
  }
  function make(name, values, before) {
    var element = document.createElementNS(SVG, name);
    Object.keys(values).forEach(function (key) { element.setAttribute(key, values[key]); });
    before.parentNode.insertBefore(element, before);
    return element;
  }
  function x(seconds) { return number(lanes[0], "x") + number(lanes[0], "width") * Math.min(seconds / length, 1); }

  sound.controls = false; sound.hidden = true; controls.hidden = false;
  document.body.classList.add("has-player");

  function playFrom(from, to) {
    stopAt = to || null;
    function start() { sound.currentTime = from; sound.play().catch(function () { /* the reader left the page */ }); }
    if (sound.readyState >= 1) start(); else { sound.addEventListener("loadedmetadata", start, { once: true }); sound.load(); }
  }
  function toggle() { stopAt = null; if (sound.paused) sound.play().catch(function () { /* as above */ }); else sound.pause(); }
  function step(by) {
    var at = turns.findIndex(function (turn) { return turn === current; });
    var next = turns[Math.min(Math.max(at + by, 0), turns.length - 1)];
    if (next) { follow.checked = true; playFrom(number(next, "data-at")); }
  }

  play.addEventListener("click", toggle);
  bar.querySelector(".back").addEventListener("click", function () {
    stopAt = null; sound.currentTime = Math.max(sound.currentTime - 10, 0);
  });
  bar.querySelector("select").addEventListener("change", function (event) { sound.playbackRate = parseFloat(event.target.value); });
  document.addEventListener("click", function (event) {
    var link = event.target.closest("a[data-at], .at[data-at]"), turn = event.target.closest(".talk li[data-at]");
    if (link) {  /* a quote is played with a short margin, a turn or a mark from its beginning */
      var end = link.getAttribute("data-end");
      follow.checked = true;
      playFrom(Math.max(parseFloat(link.getAttribute("data-at")) - 0.3, 0), end ? parseFloat(end) + 0.5 : null);
    } else if (turn && !String(window.getSelection())) playFrom(number(turn, "data-at"));
  });
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, summary")) return;
    if (event.key === " " && !event.target.closest("button")) { event.preventDefault(); toggle(); }
    else if (event.key === "j" || event.key === "о" || event.key === "О") step(1);
    else if (event.key === "k" || event.key === "л" || event.key === "Л") step(-1);
    else if (event.key === "Enter" && event.target.matches(".talk li[data-at]")) playFrom(number(event.target, "data-at"));
  });
  ["wheel", "touchmove"].forEach(function (kind) {
    window.addEventListener(kind, function () { if (!sound.paused) follow.checked = false; }, { passive: true });
  });
  turns.forEach(function (turn) { turn.tabIndex = 0; });

  function label() {
    play.classList.toggle("playing", !sound.paused);
    play.setAttribute("aria-label", sound.paused ? play.dataset.listen : play.dataset.pause);
  }
  sound.addEventListener("play", label); sound.addEventListener("pause", label); sound.addEventListener("ended", label);
  function show() {
    var at = sound.currentTime;
    position.textContent = clock(at);
    if (head) { head.setAttribute("x1", x(at)); head.setAttribute("x2", x(at)); }
    if (stopAt !== null && at >= stopAt) { stopAt = null; sound.pause(); }
    var spoken = null;
    turns.forEach(function (turn) {
      var is = number(turn, "data-at") <= at && at < number(turn, "data-end");
      turn.classList.toggle("now", is);
      if (number(turn, "data-at") <= at + 0.01) spoken = turn;
    });
    if (spoken !== current) {
      current = spoken;
      words.textContent = current ? current.querySelector("q").textContent : "";
      if (current && follow.checked && !sound.paused) current.scrollIntoView({
        block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth"
      });
    }
    if (!sound.paused) requestAnimationFrame(show);
  }
  sound.addEventListener("play", show); sound.addEventListener("seeked", show); sound.addEventListener("timeupdate", show);

  /* What really played is reported while it plays: seconds of the recording that passed audibly, without jumps. */
  var REPORT_S = 5, played = 0, before = null;
  function report() {
    if (!bar.dataset.call || played < 0.5) return;
    var body = new URLSearchParams({ token: bar.dataset.token, call_id: bar.dataset.call, seconds: played.toFixed(1) });
    played = 0;
    fetch("/listened", { method: "POST", body: body, keepalive: true }).catch(function () { /* it is not counted */ });
  }
  sound.addEventListener("timeupdate", function () {
    var at = sound.currentTime, passed = before === null ? 0 : at - before,
      isAudible = !sound.paused && !sound.seeking && !sound.muted && sound.volume > 0;
    before = isAudible ? at : null;
    if (!sound.seeking && passed > 0 && passed < 2 * sound.playbackRate) played += passed;
    if (played >= REPORT_S) report();
  });
  sound.addEventListener("seeking", function () { before = null; });
  ["pause", "ended"].forEach(function (kind) { sound.addEventListener(kind, report); });
  window.addEventListener("pagehide", report);

  function draw(found) {
    if (found.said) {
      var note = bar.querySelector(".note");
      note.textContent = found.said; note.hidden = false; controls.hidden = true;
      return;
    }
    lanes.forEach(function (lane) {
      var peaks = found.lanes[lane.dataset.role];
      if (!peaks) return;
      var left = number(lane, "x"), step = number(lane, "width") / peaks.length,
        middle = number(lane, "y") + number(lane, "height") / 2, tall = number(lane, "height") / 2 - 2;
      var path = peaks.map(function (v, n) {
        var y = Math.max(v / 100 * tall, 0.4);
        return "M" + (left + (n + 0.5) * step).toFixed(2) + " " + (middle - y).toFixed(1) + "v" + (2 * y).toFixed(1);
      }).join("");
      make("path", { "class": "wave " + lane.dataset.role, d: path, "stroke-width": (step * 0.8).toFixed(2) },
        drawing.querySelector(".grid") || drawing.lastChild);
    });
    drawing.classList.add("with-waves");
  }
  if (lanes.length) {
    length = parseFloat(drawing.dataset.length) || 1;
    head = document.createElementNS(SVG, "line");
    head.setAttribute("class", "playhead"); head.setAttribute("y1", number(lanes[0], "y") - 4);
    head.setAttribute("y2", number(lanes[lanes.length - 1], "y") + number(lanes[0], "height") + 4);
    head.setAttribute("x1", x(0)); head.setAttribute("x2", x(0));
    drawing.appendChild(head);
    drawing.addEventListener("click", function (event) {  /* anywhere on a lane: from there on */
      if (event.target.closest("a")) return;
      var point = drawing.createSVGPoint();
      point.x = event.clientX; point.y = event.clientY;
      var at = (point.matrixTransform(drawing.getScreenCTM().inverse()).x - number(lanes[0], "x")) / number(lanes[0], "width");
      if (at >= 0) playFrom(at * length);
    });
    fetch(bar.dataset.peaks, { headers: { accept: "application/json" } })
      .then(function (answer) { return answer.json(); }).then(draw).catch(function () { /* the page is read without the drawing */ });
  }
})();
