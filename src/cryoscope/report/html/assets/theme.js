// Before anything is drawn: that a script runs at all, and which colours were chosen last time.
document.documentElement.classList.add("script");
try {
  const chosen = localStorage.getItem("cryoscope-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch { /* a browser that keeps nothing: the system's colours */ }
