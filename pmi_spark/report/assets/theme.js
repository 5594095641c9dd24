// Colours: the system's, or light or dark as the reader chose; kept where the browser lets a page keep something.
const THEMES = ["system", "light", "dark"];
const THEME_KEY = "pmi_spark theme";
const button = document.getElementById("theme");

function storedTheme() {
  try {
    const found = localStorage.getItem(THEME_KEY);
    return THEMES.includes(found) ? found : "system";
  } catch {
    return "system";
  }
}

function applyTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  button.textContent = `Colours: ${theme}`;
  document.dispatchEvent(new Event("colours"));
}

let theme = storedTheme();
applyTheme(theme);
button.addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  try {
    localStorage.setItem(THEME_KEY, theme);
  } catch {
    // The choice holds for this page alone then.
  }
  applyTheme(theme);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("colours")));
