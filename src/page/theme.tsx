import { useEffect, useState } from 'preact/hooks';

const name = 'meridian-theme';
const themes = ['auto', 'light', 'dark'] as const;
type Theme = (typeof themes)[number];

/** As the system has it, or as was chosen in this tab. */
export function ThemeButton() {
  const [theme, setTheme] = useState<Theme>(() => themes.find((one) => one === sessionStorage.getItem(name)) ?? 'auto');
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
    sessionStorage.setItem(name, theme);
  }, [theme]);
  const next = themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'auto';
  return (
    <button type="button" onClick={() => setTheme(next)} aria-label={`Theme: ${theme}. Change to ${next}`}>
      {{ auto: '◐ Auto', light: '☀ Light', dark: '☾ Dark' }[theme]}
    </button>
  );
}
