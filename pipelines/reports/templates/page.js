(function () {
  var root = document.documentElement, key = "callgrade-tone";
  function remember(value) { try { localStorage.setItem(key, value); } catch (e) { /* a page opened from a file may not keep anything */ } }
  function recall() { try { return localStorage.getItem(key); } catch (e) { return null; } }
  if (recall()) root.dataset.theme = recall();
  document.addEventListener("DOMContentLoaded", function () {
    var tone = document.querySelector(".tone");
    if (tone) {
      tone.hidden = false;
      tone.addEventListener("click", function () {
        var dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
        root.dataset.theme = dark ? "light" : "dark";
        remember(root.dataset.theme);
      });
    }
    document.querySelectorAll("input.filter").forEach(function (input) {
      var rows = document.querySelectorAll("#" + input.dataset.table + " tbody tr");
      input.hidden = rows.length < 8;
      input.addEventListener("input", function () {
        var wanted = input.value.toLowerCase();
        rows.forEach(function (row) { row.hidden = row.textContent.toLowerCase().indexOf(wanted) < 0; });
      });
    });
  });
  window.addEventListener("beforeprint", function () { document.querySelectorAll("details").forEach(function (d) { d.open = true; }); });
})();
