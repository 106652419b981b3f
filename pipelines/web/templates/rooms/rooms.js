/* Moments in this person's own time zone. */
document.addEventListener("DOMContentLoaded", function () {
  var language = document.documentElement.lang;
  document.querySelectorAll("time[data-local]").forEach(function (time) {
    var at = new Date(time.dateTime);
    time.textContent = at.toLocaleDateString(language, { day: "numeric", month: "short" }) + ", " + at.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
  });
  var menu = document.querySelector("details.menu");
  if (menu) document.addEventListener("click", function (event) { if (!menu.contains(event.target)) menu.open = false; });
  document.addEventListener("keydown", function (event) { if (event.key === "Escape" && menu) menu.open = false; });
});
