// What was done, said once over the page and to a screen reader: only for what the page does not show by itself.

import { ElMessage } from "element-plus/es/components/message/index.mjs";
import "element-plus/theme-chalk/el-message.css";

const SHOWN_MS = 6000;

export function told(text: string): void {
  ElMessage({ message: text, type: "success", duration: SHOWN_MS, showClose: true, grouping: true });
}
