// Facts about GPUs for estimates: memory, bandwidth, dense matrix rates, price. Figures of
// manufacturers, collected 2026-11-29; nothing here was measured.
//
// Sources. NVIDIA's data sheets of each data-centre card (L4, A10G, A40, L40, L40S, A100, H100,
// H200, HGX B200) and of each RTX workstation card; NVIDIA's architecture papers GA102, AD102 and
// RTX Blackwell for GeForce cards. Data sheets that give rates with sparsity are halved. GeForce
// rates are those with FP16 accumulation; the RTX 4000 Ada's are computed from its cores and
// clock. Prices: RunPod's table of serverless flex prices,
// US dollars per second of one worker, read 2026-11; RunPod sells no A10G.

/** Whose prices these are and when they were read, for whoever shows one. */
export const priceSource = "RunPod's serverless flex prices of 2026-11";

/** What a GPU is, as far as an estimate needs it. */
export interface GpuFacts {
  /** As people write it: "RTX 4090". */
  readonly name: string;
  /** Marketing gigabytes of device memory: 24 means 24e9 bytes of capacity or a little more. */
  readonly memoryGb: number;
  /** Memory bandwidth in GB/s (1e9 bytes). */
  readonly bandwidthGbs: number;
  /** Dense FP16 matrix rate in TFLOPS, without sparsity. */
  readonly f16Tflops: number;
  /** Dense INT8 matrix rate in TOPS, without sparsity. */
  readonly int8Tops: number;
  /** CUDA compute capability. */
  readonly capability: string;
  /** US dollars per second; null: not sold there, or no price is published. */
  readonly dollarsPerSecond: number | null;
}

function gpu(
  name: string,
  memoryGb: number,
  bandwidthGbs: number,
  [f16Tflops, int8Tops]: readonly [number, number],
  capability: string,
  dollarsPerSecond: number | null,
): GpuFacts {
  return { name, memoryGb, bandwidthGbs, f16Tflops, int8Tops, capability, dollarsPerSecond };
}

/** By memory, then by bandwidth. */
export const gpus: readonly GpuFacts[] = [
  gpu("RTX A4000", 16, 448, [76.7, 153.4], "8.6", 0.00016),
  gpu("RTX 4000 Ada", 20, 360, [106.9, 213.8], "8.9", 0.00016),
  gpu("RTX A4500", 20, 640, [94.6, 189.2], "8.6", 0.00016),
  gpu("L4", 24, 300, [121, 242], "8.9", 0.00019),
  gpu("A10G", 24, 600, [70, 140], "8.6", null),
  gpu("RTX A5000", 24, 768, [111.1, 222.2], "8.6", 0.00019),
  gpu("RTX 3090", 24, 936, [142, 284], "8.6", 0.00019),
  gpu("RTX 4090", 24, 1008, [330.3, 660.6], "8.9", 0.00031),
  gpu("RTX 5090", 32, 1792, [419, 838], "12.0", null),
  gpu("A40", 48, 696, [149.7, 299.3], "8.6", 0.00034),
  gpu("RTX A6000", 48, 768, [154.8, 309.7], "8.6", 0.00034),
  gpu("L40", 48, 864, [181, 362], "8.9", 0.00053),
  gpu("L40S", 48, 864, [362, 733], "8.9", 0.00053),
  gpu("RTX 6000 Ada", 48, 960, [364.2, 728.5], "8.9", 0.00053),
  gpu("A100 PCIe", 80, 1935, [312, 624], "8.0", 0.00076),
  gpu("A100 SXM", 80, 2039, [312, 624], "8.0", 0.00076),
  gpu("H100 PCIe", 80, 2000, [756, 1513], "9.0", 0.00116),
  gpu("H100 SXM", 80, 3350, [989, 1979], "9.0", 0.00116),
  gpu("H100 NVL", 94, 3938, [835, 1671], "9.0", 0.00116),
  gpu("RTX PRO 6000", 96, 1792, [503.8, 1007.6], "12.0", 0.00111),
  gpu("H200", 141, 4800, [989, 1979], "9.0", 0.00155),
  gpu("B200", 180, 7700, [2250, 4500], "10.0", 0.0024),
];

/**
 * What the platforms' guides recommend for sizes of models, in billions of parameters. They do
 * not say at which quantization.
 */
export const guideRows: readonly {
  readonly models: string;
  readonly billions: readonly [number, number];
  readonly gpus: readonly string[];
}[] = [
  { models: "7-8B", billions: [7, 8], gpus: ["L4", "RTX 4090"] },
  { models: "13-14B", billions: [13, 14], gpus: ["A10G", "RTX A6000"] },
  { models: "30-70B", billions: [30, 70], gpus: ["A100 PCIe", "A100 SXM"] },
];
