/* Moments are heard one at a time: from a list through one player, in a pack one after another. Without this a link opens the sound. */
(function () {
  var player = new Audio(), now = null, end = null;
  function stop() { player.pause(); if (now) now.classList.remove("playing"); now = null; }
  document.querySelectorAll("a.hear").forEach(function (link) {
    link.addEventListener("click", function (event) {
      event.preventDefault();
      if (now === link) { stop(); return; }
      stop();
      now = link; end = parseFloat(link.dataset.end); link.classList.add("playing");
      var from = parseFloat(link.dataset.at);
      function start() { player.currentTime = from; player.play().catch(stop); }
      if (player.getAttribute("src") === link.dataset.sound && player.readyState >= 1) { start(); return; }
      player.addEventListener("loadedmetadata", start, { once: true });
      player.src = link.dataset.sound; player.load();
    });
  });
  player.addEventListener("timeupdate", function () { if (end !== null && player.currentTime >= end) stop(); });
  player.addEventListener("ended", stop); player.addEventListener("error", stop);

  var sounds = Array.from(document.querySelectorAll(".moments audio")), all = document.querySelector("[data-play-all]"), running = false;
  function show(card) { sounds.forEach(function (s) { s.closest("li").classList.toggle("now", s === card); }); }
  function label() { if (all) all.textContent = running ? all.dataset.pause : all.dataset.listen; }
  sounds.forEach(function (sound, n) {
    sound.addEventListener("play", function () { sounds.forEach(function (other) { if (other !== sound) other.pause(); }); show(sound); });
    sound.addEventListener("ended", function () {
      show(null);
      if (running && sounds[n + 1]) next(n + 1); else { running = false; label(); }
    });
    sound.addEventListener("error", function () { if (running && sounds[n + 1]) next(n + 1); });
  });
  function next(n) {
    sounds[n].currentTime = 0; sounds[n].play().catch(function () { running = false; label(); });
    sounds[n].closest("li").scrollIntoView({
      block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth"
    });
  }
  if (all && sounds.length) {
    all.hidden = false;
    all.addEventListener("click", function () {
      running = !running; label();
      if (running) next(0); else sounds.forEach(function (s) { s.pause(); });
    });
  }
  var into = document.querySelector("[data-into]"), chosen = document.querySelector("[data-packs]");
  if (into && chosen) { into.hidden = false; into.addEventListener("click", function () { into.form.action = chosen.value; }); }
})();
