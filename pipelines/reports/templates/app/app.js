/* Moments in this person's own time zone. */
document.addEventListener("DOMContentLoaded", function () {
  var language = document.documentElement.lang, written = { en: "en-GB" }[language] || language; // as the server writes days and hours
  document.querySelectorAll("time[data-local]").forEach(function (time) {
    var at = new Date(time.dateTime);
    var day = at.toLocaleDateString(written, { day: "2-digit", month: language === "en" ? "short" : "2-digit", year: "numeric" });
    time.textContent = (language === "hu" ? day.replace(/ /g, "") : day.replace(/\s?г\.|\s?р\./, "")) + ", "
      + at.toLocaleTimeString(written, { hour: "2-digit", minute: "2-digit" });
  });
  var menu = document.querySelector("details.menu");
  if (menu) document.addEventListener("click", function (event) { if (!menu.contains(event.target)) menu.open = false; });
  document.addEventListener("keydown", function (event) { if (event.key === "Escape" && menu) menu.open = false; });
});
