/** The methods of the paper's table as a study trains them (PAPER section 3). */
import type { ConditionName } from '../conditions/condition.ts';
import { methodNames, methods, type MethodName } from '../training/methods.ts';
import type { ModelStageName } from '../training/run-folder.ts';

export { methodNames, type MethodName };

/** As the table names them. */
const titles: Readonly<Record<MethodName, string>> = {
  heartbeat: 'HeartBeat', 'heartbeat-base': 'HeartBeat-Base', 'heartbeat-3d': 'HeartBeat-3D',
  videocomposer: 'VideoComposer', moonshot: 'MoonShot',
};

export interface StudiedMethod {
  readonly title: string;
  /** Conditions that it is trained with. */
  readonly conditions: readonly ConditionName[];
  /** Its own trainings, in their order; what the last one leaves is sampled from. */
  readonly stages: readonly ModelStageName[];
}

export function methodOf(name: MethodName): StudiedMethod {
  const { conditions, image } = methods[name];
  return { title: titles[name], conditions, stages: image === null ? ['video'] : ['image', 'video'] };
}
