// Builds two pages: the operations centre's (index.html) and the technician's (field/index.html), into console/pages.
import { fileURLToPath, URL } from "node:url";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { "@": here("src") } },
  define: { __VUE_OPTIONS_API__: false, __VUE_I18N_LEGACY_API__: false, __INTLIFY_PROD_DEVTOOLS__: false },
  build: {
    outDir: here("../pages"),
    emptyOutDir: true,
    // Web views of phones that are some years old.
    target: ["chrome87", "safari14"],
    // The page may load nothing inlined: its content security policy knows files of its own origin only.
    assetsInlineLimit: 0,
    cssCodeSplit: true,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: { index: here("index.html"), field: here("field/index.html") } },
  },
});
