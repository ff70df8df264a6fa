import { useParams } from 'wouter'
import { AllFiles } from './all_files'
import { TaskFilesScreen } from './task_files'
import './files.css'

export default function Files() {
  const { task, file } = useParams<{ task?: string; file?: string }>()
  return task ? <TaskFilesScreen key={task} taskId={task} fileId={file ?? null} /> : <AllFiles />
}
