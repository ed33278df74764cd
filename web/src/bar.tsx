/** A share as a bar. An SVG, whose widths are attributes: the page allows no inline styles. */

export function Bar({ share }: { share: number }) {
  const percent = Math.max(0, Math.min(1, share || 0)) * 100;
  return (
    <svg class="sharebar" aria-hidden="true">
      <rect class="sharebar-ground" width="100%" height="100%" rx="2.5" />
      {percent > 0 && <rect class="sharebar-part" width={`${percent}%`} height="100%" rx="2.5" />}
    </svg>
  );
}
